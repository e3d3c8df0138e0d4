-- Undoes create_email_verifications: links that were mailed are void.

drop table auth.email_verifications;
