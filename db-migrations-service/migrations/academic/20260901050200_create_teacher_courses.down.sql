-- Undoes create_teacher_courses.

drop table academic.teacher_courses;
drop function academic.my_taught_courses();
drop function academic.my_organization_courses();
