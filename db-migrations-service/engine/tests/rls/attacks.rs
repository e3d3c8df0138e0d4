//! What people may try beyond the matrix: to write another's id, another school's, their own promotion. Beside each
//! stands what is allowed to somebody, so that an attempt does not fail for a reason of its own.

use testkit::server;

use crate::matrix::run;
use crate::people::{Actor, spell_out};

/// How an attempt ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// 42501: no grant, or a policy's check.
    Refused,
    /// So many rows written or read; 0 where no row was in reach.
    Rows(u64),
    /// A constraint, which comes after the policies and holds for everybody.
    Violates(&'static str),
}
use End::{Refused, Rows, Violates};

struct Attempt {
    who: &'static str,
    /// What was true before, made by the superuser.
    given: &'static str,
    sql: &'static str,
    end: End,
}

const fn attempt(who: &'static str, sql: &'static str, end: End) -> Attempt {
    Attempt { who, given: "", sql, end }
}

const fn given(given: &'static str, who: &'static str, sql: &'static str, end: End) -> Attempt {
    Attempt { who, given, sql, end }
}

/// Student 1.21 is in both schools.
const IN_TWO_SCHOOLS: &str =
    "insert into users.user_roles (user_id, role, organization_id) values ('user 1.21', 'student', 'school 2.1')";
/// Somebody has an account and belongs nowhere.
const NEWCOMER: &str =
    "insert into auth.users (id, email, password_hash) values ('user 3.1', 'new@escuela.example', 'x')";
const SUSPENDED_ADMIN: &str = "update users.user_roles set is_active = false where user_id = 'user 1.1'";

#[rustfmt::skip]
const ATTEMPTS: &[Attempt] = &[
    // Secrets, whole or by guessing, of others or one's own.
    attempt("admin 1.1", "select password_hash from auth.users", Refused),
    attempt("student 1.21", "select password_hash from auth.users where id = 'user 1.21'", Refused),
    attempt("student 1.21", "select * from auth.users", Refused),
    attempt("student 1.21", "select id from auth.users where password_hash like '$argon2id$%'", Refused),
    attempt("admin 1.1", "select id from auth.users order by password_hash", Refused),
    attempt("admin 1.1", "update auth.users set is_active = true returning password_hash", Refused),
    attempt("student 1.21", "select token from auth.sessions", Refused),
    attempt("student 1.21", "select refresh_token from auth.sessions", Refused),
    attempt("student 1.21", "delete from auth.sessions returning token", Refused),
    attempt("student 1.21", "select id, user_id, expires_at, is_active from auth.sessions", Rows(1)),
    attempt("student 1.21", "select count(*) from auth.password_resets", Refused),

    // Accounts and sessions.
    attempt("student 1.21", "update auth.users set is_active = true where id = 'user 1.21'", Rows(0)),
    attempt("student 1.21", "update auth.users set email = 'admin@escuela.example' where id = 'user 1.21'", Refused),
    attempt("student 1.21", "update auth.users set is_verified = true", Refused),
    attempt("admin 1.1", "update auth.users set is_active = false where id = 'user 1.1'", Rows(0)),
    attempt("admin 1.1", "update auth.users set is_active = false where id = 'user 1.12'", Rows(1)),
    attempt("admin 1.1", "update auth.users set is_active = false where id = 'user 2.1'", Rows(0)),
    attempt("parent 1.31", "update auth.sessions set is_active = true", Refused),
    attempt("admin 1.1", "update auth.sessions set is_active = true where id = 'session 1.31'", Refused),
    attempt("parent 1.31", "update auth.sessions set expires_at = 'infinity'", Refused),
    attempt("student 1.21", "insert into auth.sessions (user_id, token, expires_at) values ('user 1.1', 'x', now())", Refused),

    // One's own promotion.
    attempt("teacher 1.11", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.11', 'admin', 'school 1.1')", Refused),
    attempt("student 1.21", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.21', 'admin', 'school 1.1')", Refused),
    attempt("student 1.21 as admin", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.21', 'admin', 'school 1.1')", Refused),
    attempt("unknown 9.9 as hacker", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.21', 'admin', 'school 1.1')", Refused),
    attempt("no claims", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.21', 'admin', 'school 1.1')", Refused),
    attempt("admin 1.1", "update users.user_roles set role = 'admin' where user_id = 'user 1.11'", Refused),
    attempt("admin 1.1", "update users.user_roles set organization_id = 'school 2.1'", Refused),
    attempt("admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.11', 'admin', 'school 1.1')", Rows(1)),

    // Membership in another school, and of people of another school.
    attempt("admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.21', 'student', 'school 2.1')", Refused),
    attempt("admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.1', 'admin', 'school 2.1')", Refused),
    attempt("admin 1.1 in 2", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.1', 'admin', 'school 2.1')", Refused),
    attempt("admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.1', 'admin', null)", Refused),
    attempt("admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 2.21', 'student', 'school 1.1')", Refused),
    given(NEWCOMER, "admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 3.1', 'teacher', 'school 1.1')", Rows(1)),
    given(NEWCOMER, "admin 1.1", "insert into users.user_profiles (user_id, first_name, last_name) values ('user 3.1', 'x', 'x')", Refused),
    given(SUSPENDED_ADMIN, "admin 1.1", "insert into users.user_roles (user_id, role, organization_id) values ('user 1.11', 'admin', 'school 1.1')", Refused),
    given(SUSPENDED_ADMIN, "admin 1.1", "update users.user_roles set is_active = true where user_id = 'user 1.1'", Rows(0)),
    given(SUSPENDED_ADMIN, "admin 1.1", "select id from auth.users", Rows(1)),
    given(SUSPENDED_ADMIN, "admin 1.1", "select id from users.user_profiles", Rows(1)),

    // Who belongs to two schools is managed by neither, and shows each only what is the school's.
    given(IN_TWO_SCHOOLS, "admin 2.1", "select id from users.user_profiles where user_id = 'user 1.21'", Rows(1)),
    given(IN_TWO_SCHOOLS, "admin 2.1", "update users.user_profiles set first_name = 'x' where user_id = 'user 1.21'", Rows(0)),
    given(IN_TWO_SCHOOLS, "admin 1.1", "update auth.users set is_active = false where id = 'user 1.21'", Rows(0)),
    given(IN_TWO_SCHOOLS, "admin 2.1", "select id from chat.chat_sessions where user_id = 'user 1.21'", Rows(0)),
    given(IN_TWO_SCHOOLS, "admin 2.1", "select id from plans.plan_results where student_id = 'user 1.21'", Rows(0)),
    given(IN_TWO_SCHOOLS, "student 1.21 in 2", "select id from plans.plans", Rows(0)),

    // Plans: not to another teacher, another school, or pointing at what the writer cannot see.
    attempt("teacher 1.11", "update plans.plans set teacher_id = 'user 1.12'", Refused),
    attempt("teacher 1.11", "update plans.plans set organization_id = 'school 2.1'", Refused),
    attempt("teacher 1.11", "update plans.plans set id = gen_random_uuid()", Refused),
    attempt("teacher 1.11", "update plans.plans set course_id = 'course 2.1' where id = 'plan 1.1'", Refused),
    attempt("teacher 1.11", "update plans.plans set subject_id = 'subject 2.1' where id = 'plan 1.1'", Refused),
    attempt("teacher 1.11", "update plans.plans set subject_id = 'subject 1.1', status = 'active' where id = 'plan 1.2'", Rows(1)),
    attempt("teacher 1.11", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.11', 'subject 0.201', 'school 1.1')", Rows(1)),
    attempt("teacher 1.11", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.12', 'subject 0.201', 'school 1.1')", Refused),
    attempt("teacher 1.11", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.11', 'subject 0.201', 'school 2.1')", Refused),
    attempt("teacher 1.11", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.11', 'subject 2.1', 'school 1.1')", Refused),
    attempt("admin 1.1", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.12', 'subject 0.201', 'school 1.1')", Rows(1)),
    attempt("admin 1.1", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.21', 'subject 0.201', 'school 1.1')", Refused),
    attempt("admin 1.1", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 2.11', 'subject 0.201', 'school 1.1')", Refused),
    attempt("student 1.21", "insert into plans.plans (title, teacher_id, subject_id, organization_id) values ('x', 'user 1.21', 'subject 0.201', 'school 1.1')", Refused),
    attempt("teacher 1.11", "update plans.plan_jobs set plan_id = 'plan 1.3' where id = 'job 1.2'", Refused),
    attempt("teacher 1.11", "insert into plans.plan_files (plan_id, file_id, file_type) values ('plan 1.1', 'file 2.1', 'input')", Refused),
    attempt("teacher 1.11", "insert into plans.plan_files (plan_id, file_id, file_type) values ('plan 1.1', 'file 1.5', 'template')", Rows(1)),

    // Results: a student reports progress and nothing else; a plan is addressed to nobody outside the courses.
    attempt("student 1.21", "update plans.plan_results set score = 100 where id = 'result 1.1'", Refused),
    attempt("student 1.21", "update plans.plan_results set status = 'completed', feedback = 'x' where id = 'result 1.1'", Refused),
    attempt("student 1.21", "update plans.plan_results set plan_content = 'x' where id = 'result 1.1'", Refused),
    attempt("student 1.21", "update plans.plan_results set student_id = 'user 1.22' where id = 'result 1.1'", Refused),
    attempt("student 1.21", "update plans.plan_results set status = 'completed', completion_percentage = 100, time_spent = 3, completed_at = now() where id = 'result 1.1'", Rows(1)),
    attempt("student 1.21", "update plans.plan_results set completion_percentage = 1 where id = 'result 1.2'", Rows(0)),
    attempt("teacher 1.11", "update plans.plan_results set score = 77, feedback = 'x' where id = 'result 1.1'", Rows(1)),
    attempt("teacher 1.11", "update plans.plan_results set score = 101 where id = 'result 1.1'", Violates("23514")),
    attempt("teacher 1.11", "insert into plans.plan_results (plan_id, student_id) values ('plan 1.1', 'user 1.24')", Rows(1)),
    attempt("teacher 1.11", "insert into plans.plan_results (plan_id, student_id) values ('plan 1.1', 'user 1.25')", Refused),
    attempt("admin 1.1", "insert into plans.plan_results (plan_id, student_id) values ('plan 1.1', 'user 2.21')", Refused),
    attempt("parent 1.31", "update plans.plan_results set status = 'completed' where id = 'result 1.1'", Rows(0)),

    // Children and courses.
    attempt("parent 1.31", "insert into users.guardianships (parent_id, student_id, organization_id) values ('user 1.31', 'user 1.25', 'school 1.1')", Refused),
    attempt("parent 1.33", "update users.guardianships set is_active = true where id = 'guardianship 1.5'", Rows(0)),
    attempt("student 1.21 as admin", "insert into users.guardianships (parent_id, student_id, organization_id) values ('user 1.31', 'user 1.25', 'school 1.1')", Refused),
    attempt("admin 1.1", "insert into users.guardianships (parent_id, student_id, organization_id) values ('user 1.31', 'user 2.21', 'school 1.1')", Refused),
    attempt("admin 2.1", "insert into users.guardianships (parent_id, student_id, organization_id) values ('user 2.31', 'user 1.21', 'school 2.1')", Refused),
    attempt("admin 1.1", "insert into users.guardianships (parent_id, student_id, organization_id) values ('user 1.31', 'user 1.25', 'school 1.1')", Rows(1)),
    attempt("teacher 1.11", "insert into academic.enrolments (student_id, course_id) values ('user 1.25', 'course 1.1')", Refused),
    attempt("teacher 1.11", "insert into academic.teacher_courses (teacher_id, course_id) values ('user 1.11', 'course 1.2')", Refused),
    attempt("admin 2.1", "insert into academic.enrolments (student_id, course_id) values ('user 2.21', 'course 1.1')", Refused),
    attempt("admin 1.1", "insert into academic.enrolments (student_id, course_id) values ('user 2.21', 'course 1.1')", Refused),
    attempt("admin 1.1", "insert into academic.enrolments (student_id, course_id) values ('user 1.25', 'course 1.1')", Rows(1)),
    attempt("admin 1.1", "insert into academic.course_subjects (course_id, subject_id) values ('course 1.2', 'subject 2.1')", Refused),
    attempt("admin 1.1", "update academic.courses set organization_id = 'school 2.1'", Refused),
    attempt("admin 1.1", "insert into academic.subjects (name, code) values ('x', 'X')", Refused),
    attempt("admin 1.1", "update academic.subjects set name = 'x' where id = 'subject 0.201'", Rows(0)),

    // Files: publishing, passing on, and rights that were not given.
    attempt("student 1.21", "update files.files set is_public = true", Refused),
    attempt("student 1.21", "update files.files set file_path = 'escuela-ejemplo/0001'", Refused),
    attempt("teacher 1.11", "update files.files set filename = 'x' where id = 'file 1.5'", Rows(1)),
    attempt("teacher 1.11", "update files.files set is_public = true where id = 'file 1.5'", Refused),
    attempt("teacher 1.11", "delete from files.files where id = 'file 1.5'", Rows(0)),
    attempt("teacher 1.11", "insert into files.file_permissions (file_id, user_id, permission_type) values ('file 1.5', 'user 1.11', 'delete')", Refused),
    attempt("student 1.21", "insert into files.file_permissions (file_id, user_id, permission_type) values ('file 1.1', 'user 1.21', 'read')", Refused),
    attempt("student 1.21", "insert into files.file_permissions (file_id, role, permission_type) values ('file 1.4', 'student', 'read')", Refused),
    attempt("student 1.21", "insert into files.file_permissions (file_id, user_id, permission_type) values ('file 1.4', 'user 1.12', 'read')", Rows(1)),
    attempt("teacher 1.11", "insert into files.file_permissions (file_id, permission_type) values ('file 1.1', 'read')", Violates("23514")),
    given("insert into files.file_permissions (file_id, user_id, permission_type) values ('file 1.1', 'user 2.1', 'read')", "admin 2.1", "select id from files.files where id = 'file 1.1'", Rows(0)),

    // Conversations: in nobody's name, and not as the assistant.
    attempt("student 1.21", "insert into chat.chat_sessions (user_id, session_id) values ('user 1.22', 'x')", Refused),
    attempt("student 1.21", "insert into chat.chat_messages (session_id, role, content) values ('conversation 1.2', 'user', 'x')", Rows(1)),
    attempt("student 1.21", "insert into chat.chat_messages (session_id, role, content) values ('conversation 1.2', 'assistant', 'x')", Refused),
    attempt("student 1.21", "insert into chat.chat_messages (session_id, role, content) values ('conversation 1.1', 'user', 'x')", Refused),
    attempt("admin 1.1", "insert into chat.chat_messages (session_id, role, content) values ('conversation 1.2', 'user', 'x')", Refused),
    attempt("student 1.21", "update chat.chat_messages set content = 'x'", Refused),
    attempt("student 1.21", "insert into chat.chat_files (session_id, file_id, message_id) values ('conversation 1.2', 'file 1.4', 'message 1.1')", Refused),
    attempt("student 1.21", "insert into chat.chat_files (session_id, file_id) values ('conversation 1.2', 'file 1.1')", Refused),

    // The school itself.
    attempt("admin 1.1", "update organizations.organizations set is_active = false", Refused),
    attempt("admin 1.1", "update organizations.organization_configs set organization_id = 'school 2.1'", Refused),
    attempt("admin 1.1", "insert into organizations.organization_configs (organization_id, config_key, config_value) values ('school 2.1', 'x', '1')", Refused),
    attempt("admin 1.1", "insert into organizations.organization_configs (organization_id, config_key, config_value) values ('school 2.1', 'academic_year', '1') on conflict (organization_id, config_key) do update set config_value = '1'", Refused),

    // Lookups as an oracle.
    attempt("student 1.21", "select unnest(users.my_organization_users())", Rows(0)),
    attempt("student 1.21", "select unnest(users.my_managed_users())", Rows(0)),
    attempt("student 1.21 as admin", "select unnest(users.my_managed_users())", Rows(0)),
    attempt("student 1.21", "select unnest(plans.my_organization_plans())", Rows(0)),
    attempt("student 1.21", "select unnest(academic.my_students())", Rows(0)),
    attempt("no claims", "select unnest(chat.my_managed_sessions() || chat.my_sessions())", Rows(0)),
    attempt("student 1.21", "select 1 where users.may_join_my_organization('user 1.22')", Rows(0)),
    attempt("student 1.21", "select 1 where users.my_admin_organization() is not null", Rows(0)),
];

#[tokio::test]
async fn attacks_end_as_they_should() {
    let db = server().platform_database().await;
    let session = db.session().await;
    let mut wrong = Vec::new();
    for Attempt { who, given, sql, end } in ATTEMPTS {
        let message = format!("begin; {given}; {}; {sql}", Actor::named(who).sign_in());
        let actual = match session.batch(&spell_out(&message)).await {
            Ok(outcome) => format!("{:?}", Rows(outcome.statements.last().expect("the attempt").rows_affected)),
            Err(error) => match error.sqlstate() {
                Some("42501") if error.completed() + 1 == 3 + usize::from(!given.is_empty()) => format!("{Refused:?}"),
                Some(code) => format!("Violates({code:?}): {error}"),
                None => panic!("{who}: {sql}: {error}"),
            },
        };
        if !actual.starts_with(&format!("{end:?}")) {
            wrong.push(format!("{who}: {sql}\n  expected {end:?}, actual {actual}"));
        }
        run(&session, "rollback").await;
    }
    assert!(wrong.is_empty(), "{} of {} attempts:\n{}", wrong.len(), ATTEMPTS.len(), wrong.join("\n"));
}
