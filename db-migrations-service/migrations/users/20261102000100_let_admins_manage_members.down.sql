-- Undoes let_admins_manage_members.

drop function users.accept_invitation(text, text);
drop function users.withdraw_invitation(uuid);
drop function users.call_again(uuid);
drop function users.write_member(uuid, jsonb, text[]);
drop function users.take_role(uuid, uuid);
drop function users.give_role(uuid, text);
drop function users.offered_role_id(uuid, uuid, text);
drop function users.restore_member(uuid);
drop function users.remove_member(uuid);
drop function users.set_member_enabled(uuid, boolean);
drop function users.let_in(uuid, uuid, boolean);
drop function users.hold_roles(uuid, uuid, text[], jsonb);
drop function users.write_names(uuid, uuid, jsonb);
drop function users.admit_people(jsonb, boolean);
drop function users.belongs_elsewhere(uuid, uuid);
drop function users.lead_school();
