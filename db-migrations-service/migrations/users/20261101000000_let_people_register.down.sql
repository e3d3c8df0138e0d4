-- Undoes let_people_register.

drop function users.register_person(uuid, text, text, text, uuid, text);
drop function users.may_register(uuid, text);
drop function users.who_signs_in(uuid);
drop function users.only_auth_service();
