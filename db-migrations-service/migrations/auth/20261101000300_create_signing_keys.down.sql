-- Undoes create_signing_keys: what was signed is believed by nobody any more.

drop table auth.signing_keys;
