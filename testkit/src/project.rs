//! Projects for tests: the platform's own, and small ones made on the spot.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use migration_engine::Project;
use tempfile::TempDir;
use uuid::Uuid;

/// The platform's own project, as it is built into the binary.
pub fn platform_project() -> Arc<Project> {
    static PROJECT: OnceLock<Arc<Project>> = OnceLock::new();
    let open = || {
        db_migrations_service::project::open(None).unwrap_or_else(|error| panic!("the platform's project: {error:#?}"))
    };
    Arc::clone(PROJECT.get_or_init(open))
}

/// A project in a temporary folder, with files written as the test goes.
///
/// The catalogue has the services `alpha-service` (schema `alpha`), `beta-service` (schema `beta`, which may reference
/// `alpha`) and `gamma-service` (schema `gamma`, which may reference nothing), in the environments `development`
/// and `production` (protected), with short lock waits.
pub struct TestProject {
    folder: TempDir,
}

impl Default for TestProject {
    fn default() -> Self {
        Self::new()
    }
}

impl TestProject {
    /// A project without a migration.
    pub fn new() -> Self {
        let project = Self { folder: TempDir::new().expect("a temporary folder can be made") };
        // Roles belong to the whole cluster; so that tests do not meet in them, each project has its own.
        let tag = &Uuid::new_v4().simple().to_string()[..8];
        let service = |name: &str, references: &str| {
            format!(
                "[services.{name}-service]\nschemas = [\"{name}\"]\nowner = \"{name}_owner_{tag}\"\nrole = \"{name}_service_{tag}\"\nreferences = [{references}]\n\n"
            )
        };
        project.write(
            "config/services.toml",
            &format!(
                "[project]\nname = \"test\"\ndefault_environment = \"development\"\n\n\
                 [run]\nlock_timeout_ms = 150\nlock_attempts = 3\nretry_delay_ms = 20\nconcurrent_timeout_s = 20\n\n\
                 [environments.development]\nurl_variable = \"DATABASE_URL\"\n\n[environments.production]\nprotected = true\n\n{}{}{}",
                service("alpha", ""),
                service("beta", "\"alpha\""),
                service("gamma", "")
            ),
        );
        project
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file, folders included.
    pub fn write(&self, path: &str, content: &str) {
        self.write_bytes(path, content.as_bytes());
    }

    /// Writes a file that need not be text.
    pub fn write_bytes(&self, path: &str, content: &[u8]) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders can be made");
        std::fs::write(path, content).expect("a file can be written");
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).expect("the file is there")
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.path().join(path)).expect("the file is there");
    }

    /// Writes the pair of a migration: `migration("alpha/1_create_t", up, down)`.
    pub fn migration(&self, name: &str, up: &str, down: &str) -> &Self {
        self.write(&format!("migrations/{name}.up.sql"), up);
        self.write(&format!("migrations/{name}.down.sql"), down);
        self
    }

    /// Removes the pair of a migration.
    pub fn remove_migration(&self, name: &str) {
        self.remove(&format!("migrations/{name}.up.sql"));
        self.remove(&format!("migrations/{name}.down.sql"));
    }

    /// Opens it as it is now.
    pub fn open(&self) -> Arc<Project> {
        Arc::new(Project::open(self.path()).unwrap_or_else(|error| panic!("{error:#?}")))
    }
}
