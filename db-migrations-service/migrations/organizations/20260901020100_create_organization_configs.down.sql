-- Undoes create_organization_configs.

drop table organizations.organization_configs;
