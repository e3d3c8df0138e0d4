-- Undoes create_enrolments.

drop policy parent_select on academic.course_subjects;
drop policy student_select on academic.course_subjects;
drop policy parent_select on academic.courses;
drop policy student_select on academic.courses;
drop table academic.enrolments;
drop function academic.my_students();
drop function academic.my_children_courses();
drop function academic.my_enrolled_courses();
