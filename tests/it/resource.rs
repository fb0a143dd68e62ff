//! Resources: what the role matrix and the golden files have to know of a kind of thing. Each is declared in the test file of
//! the kind as `pub fn resource() -> Resource`, and `RESOURCES` in `main.rs` lists them.

use argusd::http::{Version, native, native_openapi, openapi};
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::support::App;

/// Anonymous, end user, source, staff, superuser.
pub type Statuses = [u16; 5];

pub const OPEN: Statuses = [200; 5];

// Of operations.
pub const ALL_READ: Statuses = [401, 200, 200, 200, 200];
pub const ALL_CREATE: Statuses = [401, 201, 201, 201, 201];
/// What belongs to the source's user.
pub const OWNER_READS: Statuses = [401, 404, 200, 404, 404];
pub const OWNER_DELETES: Statuses = [401, 404, 204, 404, 404];
pub const STAFF_ONLY: Statuses = [401, 403, 403, 200, 200];

/// Stands for "log in first", which is a redirect like others.
pub const LOGIN: u16 = 401;

// Of pages and forms.
pub const SHOWN: Statuses = [LOGIN, 200, 200, 200, 200];
pub const LEADS_ON: Statuses = [LOGIN, 303, 303, 303, 303];
/// A form with a mistake.
pub const REFUSED: Statuses = [LOGIN, 422, 422, 422, 422];
pub const MISSING: Statuses = [LOGIN, 404, 404, 404, 404];
/// Of what belongs to the source's user.
pub const OWNER_SEES: Statuses = [LOGIN, 404, 200, 404, 404];
pub const OWNER_DOES: Statuses = [LOGIN, 404, 303, 404, 404];
pub const OWNER_ERRS: Statuses = [LOGIN, 404, 422, 404, 404];
pub const STAFF_SEE: Statuses = [LOGIN, 403, 403, 200, 200];
pub const STAFF_DO: Statuses = [LOGIN, 403, 403, 303, 303];
pub const STAFF_ERR: Statuses = [LOGIN, 403, 403, 422, 422];
pub const SUPERUSERS_SEE: Statuses = [LOGIN, 403, 403, 403, 200];
pub const SUPERUSERS_DO: Statuses = [LOGIN, 403, 403, 403, 303];
pub const SUPERUSERS_ERR: Statuses = [LOGIN, 403, 403, 403, 422];

/// Makes an object, and returns its key as it is in paths.
pub type Make = for<'a> fn(&'a App) -> LocalBoxFuture<'a, String>;

pub struct Resource {
    /// Each has all the operations.
    pub documents: &'static [Document],
    /// With paths below the prefix of the documents.
    pub operations: Vec<Row>,
    /// Operations that no document has, with whole paths. Their method is `ANY` if it makes no difference.
    pub undocumented: Vec<Row>,
    pub pages: Vec<PageRow>,
    /// Makes a new one for each row with a parameter in its path.
    pub object: Make,
    /// Tables of which no golden file has a row yet. The files are asked for no path of a resource with such tables.
    pub younger_tables: &'static [&'static str],
}

impl Default for Resource {
    fn default() -> Self {
        Self {
            documents: &[],
            operations: Vec::new(),
            undocumented: Vec::new(),
            pages: Vec::new(),
            object: |_| panic!("a path has a parameter, but the resource makes no objects"),
            younger_tables: &[],
        }
    }
}

impl Resource {
    /// The operations that documents have, with whole paths.
    pub fn documented(self) -> impl Iterator<Item = (Document, String, Row)> {
        let Self { documents, operations, .. } = self;
        let with_paths = move |document: Document| {
            let whole = move |row: Row| (document, format!("{}{}", document.prefix(), row.path), row);
            operations.clone().into_iter().map(whole)
        };
        documents.iter().copied().flat_map(with_paths)
    }
}

/// All that are listed.
pub fn all() -> impl Iterator<Item = Resource> {
    crate::RESOURCES.iter().map(|declared| {
        let mut resource = declared();
        let object = Some(resource.object);
        for row in resource.operations.iter_mut().chain(&mut resource.undocumented) {
            row.object = object;
        }
        for row in &mut resource.pages {
            row.object = object;
        }
        resource
    })
}

/// An operation of an API.
#[derive(Clone)]
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub statuses: Statuses,
    pub body: Value,
    /// `None`: the matrix has the object.
    pub object: Option<Make>,
}

pub fn row(method: &'static str, path: &'static str, statuses: Statuses, body: Value) -> Row {
    Row { method, path, statuses, body, object: None }
}

/// A page or a form.
pub struct PageRow {
    pub method: &'static str,
    pub path: &'static str,
    pub statuses: Statuses,
    pub fields: &'static [(&'static str, &'static str)],
    /// `None`: the matrix has the object.
    pub object: Option<Make>,
}

pub fn get(path: &'static str, statuses: Statuses) -> PageRow {
    PageRow { method: "GET", path, statuses, fields: &[], object: None }
}

pub fn post(path: &'static str, statuses: Statuses, fields: &'static [(&'static str, &'static str)]) -> PageRow {
    PageRow { method: "POST", path, statuses, fields, object: None }
}

/// The path with the key of a new object in place of its parameter, if it has one.
pub async fn fill(app: &App, path: &str, object: Make) -> String {
    let Some((before, rest)) = path.split_once('{') else { return path.to_owned() };
    let (_, after) = rest.split_once('}').unwrap();
    assert!(!after.contains('{'), "{path}: a resource has one kind of object only");
    format!("{before}{}{after}", object(app).await)
}

/// An OpenAPI document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    Argus(Version),
    Native,
}

impl Document {
    pub const ALL: [Self; 3] = [Self::Argus(Version::V1), Self::Argus(Version::V2), Self::Native];

    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Argus(version) => version.prefix(),
            Self::Native => native::PREFIX,
        }
    }

    pub fn openapi(self) -> OpenApi {
        match self {
            Self::Argus(version) => openapi(version),
            Self::Native => native_openapi(),
        }
    }
}
