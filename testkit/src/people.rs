//! Who asks, in tests of services: people of the development seeds.

use identity::Access;
use kernel::{AppRole, OrganizationId, SessionId, UserId};
use uuid::Uuid;

/// Somebody of the seeds. Everybody's password is [`PASSWORD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub id: Uuid,
    /// The address that they sign in with.
    pub email: &'static str,
    /// What they are in their school.
    pub role: AppRole,
    /// Their school; nil for who runs the platform.
    pub school: Uuid,
}

/// The password of the development seeds.
pub const PASSWORD: &str = "profe-desarrollo";

/// The two schools.
pub const SCHOOLS: [Uuid; 2] = [school(1), school(2)];

/// Runs the platform, and no school.
pub const PLATFORM_ADMIN: Person =
    Person { school: Uuid::nil(), ..person(0, 0x01, "plataforma@profe.example", AppRole::Admin) };
/// Runs the first school.
pub const ADMIN: Person = person(1, 0x01, "admin@escuela.example", AppRole::Admin);
/// Teaches in it.
pub const TEACHER: Person = person(1, 0x11, "docente1@escuela.example", AppRole::Teacher);
/// Learns in it, and is followed by [`PARENT`].
pub const STUDENT: Person = person(1, 0x21, "estudiante1@escuela.example", AppRole::Student);
/// The mother of [`STUDENT`], and of nobody else.
pub const PARENT: Person = person(1, 0x31, "acudiente1@escuela.example", AppRole::Parent);
/// Runs the other school.
pub const OTHER_ADMIN: Person = person(2, 0x01, "admin@colegio.example", AppRole::Admin);
/// Learns in the other school.
pub const OTHER_STUDENT: Person = person(2, 0x21, "estudiante1@colegio.example", AppRole::Student);

const fn school(number: u128) -> Uuid {
    Uuid::from_u128(0x0000_0007_0000_4000_8000_0000_0000_0001 | number << 80)
}

/// Ids of the seeds say what they are: table, school and number stand in their first, second and last group.
const fn person(number: u128, id: u128, email: &'static str, role: AppRole) -> Person {
    let id = Uuid::from_u128(0x0000_0001_0000_4000_8000_0000_0000_0000 | number << 80 | id);
    Person { id, email, role, school: school(number) }
}

impl Person {
    /// What a token of theirs says, in this sign-in.
    pub fn access(&self, session: Uuid) -> Access {
        Access {
            user: UserId::new(self.id),
            session: SessionId::new(session),
            organization: (!self.school.is_nil()).then_some(OrganizationId::new(self.school)),
            role: Some(self.role),
        }
    }
}
