-- Undoes bind_resets_to_addresses.

alter table auth.password_resets drop column email;
