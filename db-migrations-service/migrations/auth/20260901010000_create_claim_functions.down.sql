-- Undoes create_claim_functions.

drop function auth.role();
drop function auth.org();
drop function auth.uid();
revoke usage on schema auth from app_user;
