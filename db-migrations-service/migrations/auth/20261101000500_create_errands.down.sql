-- Undoes create_errands: letters that were not sent yet never are.

drop table auth.errands;
