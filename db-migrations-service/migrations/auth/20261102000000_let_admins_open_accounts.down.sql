-- Undoes let_admins_open_accounts. Accounts that were opened stay, and nobody can sign in with them.

drop function auth.begin_reset(uuid, text);
drop function auth.open_account(text);
drop function auth.account(uuid);
drop function auth.only_people_services();
