-- Undoes create_organizations.

drop table organizations.organizations;
revoke usage on schema organizations from app_user;
