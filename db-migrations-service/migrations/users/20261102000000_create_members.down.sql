-- Undoes create_members. Subjects of teachers, register numbers, removals and open invitations are lost; people and roles stay.

drop trigger user_profiles_refresh_members on users.user_profiles;
drop trigger user_roles_refresh_member on users.user_roles;
drop function users.follow_profile();
drop function users.follow_role();
drop function users.refresh_memberships(uuid);
drop function users.refresh_member(uuid, uuid);
drop table users.members;
drop function users.describe_member();
drop function users.fold(text);
