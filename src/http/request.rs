//! Declarations of request bodies. One declaration with [`request!`] determines what is read, its bounds, and its
//! description in the OpenAPI documents.

use std::{marker::PhantomData, ops::RangeInclusive};

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Array, Object, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};
use uuid::Uuid;

use super::{BodyFields, TextRule};
use crate::domain::{DestinationId, EndTime, EventType, FilterId, Level, TimeOfDay, TimeslotId, Timestamp};

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Body that is declared with [`request!`].
pub trait Request: ToSchema {
    /// Type that the fields are read into.
    type Target;

    /// JSON names of the fields.
    const FIELDS: &'static [&'static str];

    /// Reads the fields, and records an error for each invalid one. In a whole body (`BodyFields::is_whole`), absent
    /// required fields are errors too.
    fn take(fields: &mut BodyFields) -> Self::Target;
}

/// Declares a body. The struct has an `Option` for each field that is read. With `fills Target`, the fields of `Target`
/// are set instead.
///
/// A field is `name "name in JSON": Type = reader(arguments)`. `reader` is a method of [`BodyFields`]. `Type`
/// determines how the field is described ([`Shape`]), unless another type follows after `as`. A bound in brackets is
/// the first argument of the reader, and is in the document, too. Fields without a reader are read by hand and only
/// described here.
macro_rules! request {
    ($(#[doc = $about:literal])* pub struct $name:ident $(fills $target:ident)? $(requires [$($required:literal),+])? {
        $($(#[doc = $doc:literal])* $field:ident $($wire:literal)? : $ty:ty $(as $shape:ty)?
            $(= $reader:ident $([$bound:expr])? $(($($argument:expr),*))?)?),+ $(,)?
    }) => {
        $crate::http::request::request!(@struct $name $($target)? { $($($field $ty, $reader;)?)+ });

        impl $crate::http::request::Request for $name {
            type Target = $crate::http::request::request!(@first $($target,)? $name);

            const FIELDS: &'static [&'static str] = &[$([$($wire,)? stringify!($field)][0]),+];

            #[allow(unused_mut, unused_variables, reason = "some bodies are read by hand")]
            fn take(fields: &mut $crate::http::fields::BodyFields) -> Self::Target {
                fields.require_all(&[$($($required),+)?]);
                let mut target = Self::Target::default();
                $(
                    let name = [$($wire,)? stringify!($field)][0];
                    $(
                        let read: Option<$ty> = fields.$reader(name $(, $bound)? $($(, $argument)*)?);
                        target.$field = read;
                    )?
                )+
                target
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let mut object = $crate::http::request::Described::new(&[$($about),*], &[$($($required),+)?]);
                $(object.describe::<$crate::http::request::request!(@first $($shape,)? $ty)>(
                    [$($wire,)? stringify!($field)][0],
                    &[$($doc),*],
                    &[$($($crate::http::request::Bound::from($bound))?)?],
                );)+
                object.0.into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                $(<$crate::http::request::request!(@first $($shape,)? $ty)
                    as $crate::http::request::Shape>::collect(schemas);)+
            }
        }
    };
    (@struct $name:ident { $($field:ident $ty:ty, $reader:ident;)* }) => {
        #[derive(Debug, Default)]
        pub struct $name { $(pub $field: Option<$ty>),* }
    };
    (@struct $name:ident $target:ident { $($fields:tt)* }) => {
        pub enum $name {}
    };
    (@first $first:ty $(, $other:ty)?) => { $first };
}
pub(crate) use request;

/// Description of a value of a body in the OpenAPI documents.
pub trait Shape {
    /// Whether the document allows null for an optional field.
    const OR_NULL: bool = true;

    fn shape() -> RefOr<Schema>;

    /// Adds the schemas that [`Self::shape`] names.
    fn collect(_: &mut Schemas) {}
}

macro_rules! shapes {
    ($($schema:ty: $($value:ty),+;)+) => {$($(
        impl Shape for $value {
            fn shape() -> RefOr<Schema> {
                <$schema>::schema()
            }
        }
    )+)+};
}

shapes! {
    bool: bool;
    u8: u8;
    u64: u64, u32, DestinationId, FilterId, TimeslotId;
    String: String, &'static str, EndTime, EventType, TimeOfDay, Timestamp, Uuid;
}

/// Object with any members.
pub struct Settings;

/// Any JSON except null.
pub struct AnyJson;

/// Value with a schema of its own.
pub struct Named<T>(PhantomData<T>);

impl Shape for AnyJson {
    const OR_NULL: bool = false;

    fn shape() -> RefOr<Schema> {
        ObjectBuilder::new().into()
    }
}

impl Shape for Settings {
    fn shape() -> RefOr<Schema> {
        let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
        let names = ObjectBuilder::new().schema_type(Type::String);
        ObjectBuilder::new().property_names(Some(names)).additional_properties(Some(any)).into()
    }
}

impl Shape for Level {
    fn shape() -> RefOr<Schema> {
        let mut shape = u8::schema();
        if let RefOr::T(Schema::Object(object)) = &mut shape {
            Bound::Range(1..=5).describe(object);
        }
        shape
    }
}

impl<T: Shape> Shape for Option<T> {
    fn shape() -> RefOr<Schema> {
        T::shape()
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn shape() -> RefOr<Schema> {
        Array::new(T::shape()).into()
    }

    fn collect(schemas: &mut Schemas) {
        T::collect(schemas);
    }
}

impl<T: ToSchema> Shape for Named<T> {
    fn shape() -> RefOr<Schema> {
        Ref::from_schema_name(T::name()).into()
    }

    fn collect(schemas: &mut Schemas) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T: Request> Shape for T {
    fn shape() -> RefOr<Schema> {
        Named::<T>::shape()
    }

    fn collect(schemas: &mut Schemas) {
        Named::<T>::collect(schemas);
    }
}

/// Bound of a value that is in the document.
pub enum Bound {
    /// Greatest length, in characters.
    Longest(usize),
    Range(RangeInclusive<u32>),
}

impl From<TextRule> for Bound {
    fn from(rule: TextRule) -> Self {
        Self::Longest(rule.longest)
    }
}

impl From<RangeInclusive<u32>> for Bound {
    fn from(range: RangeInclusive<u32>) -> Self {
        Self::Range(range)
    }
}

impl Bound {
    fn describe(&self, object: &mut Object) {
        match self {
            Self::Longest(longest) => object.max_length = Some(*longest),
            Self::Range(range) => {
                object.minimum = Some((*range.start()).into());
                object.maximum = Some((*range.end()).into());
            }
        }
    }
}

/// Description of a body in the OpenAPI documents.
pub struct Described(pub Object);

impl Described {
    #[must_use]
    pub fn new(doc: &[&str], required: &[&str]) -> Self {
        let mut object = Object::new();
        object.description = text(doc);
        object.required = required.iter().copied().map(str::to_owned).collect();
        Self(object)
    }

    /// Adds a field. Null is allowed if the field is optional.
    pub fn describe<T: Shape>(&mut self, name: &str, doc: &[&str], bounds: &[Bound]) {
        let mut shape = T::shape();
        match &mut shape {
            RefOr::Ref(named) => named.description = text(doc).unwrap_or_default(),
            RefOr::T(Schema::Object(object)) => {
                object.description = text(doc);
                for bound in bounds {
                    bound.describe(object);
                }
            }
            RefOr::T(Schema::Array(array)) => array.description = text(doc),
            RefOr::T(_) => {}
        }
        let is_required = self.0.required.iter().any(|required| required == name);
        let shape = if is_required || !T::OR_NULL { shape } else { or_null(shape) };
        self.0.properties.insert(name.to_owned(), shape);
    }
}

fn or_null(mut shape: RefOr<Schema>) -> RefOr<Schema> {
    match &mut shape {
        RefOr::T(Schema::Object(Object { schema_type, .. }) | Schema::Array(Array { schema_type, .. })) => {
            if let SchemaType::Type(kind) = schema_type {
                *schema_type = SchemaType::Array(vec![kind.clone(), Type::Null]);
            }
            shape
        }
        _ => OneOfBuilder::new().item(shape).item(ObjectBuilder::new().schema_type(Type::Null)).into(),
    }
}

fn text(lines: &[&str]) -> Option<String> {
    (!lines.is_empty()).then(|| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Version, native_openapi, openapi};

    #[test]
    fn what_is_required_is_described() {
        for document in [openapi(Version::V1), openapi(Version::V2), native_openapi()] {
            for (name, schema) in document.components.unwrap_or_default().schemas {
                let RefOr::T(Schema::Object(object)) = schema else { continue };
                let missing: Vec<_> =
                    object.required.iter().filter(|it| !object.properties.contains_key(*it)).collect();
                assert!(missing.is_empty(), "{name} does not describe {missing:?}");
            }
        }
    }

    #[test]
    fn the_reader_and_the_document_have_the_same_bound() {
        request! {
            pub struct Example requires ["name"] {
                /// A name.
                name: String = text[TextRule::filled_up_to(3)],
                days "number": u32 = whole_number[1..=9],
                level: Level = level,
            }
        }
        let expected = serde_json::json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "maxLength": 3, "description": "A name."},
                "number": {"type": ["integer", "null"], "format": "int64", "minimum": 1, "maximum": 9},
                "level": {"type": ["integer", "null"], "format": "int32", "minimum": 1, "maximum": 5},
            },
        });
        assert_eq!(serde_json::to_value(Example::schema()).unwrap(), expected);
        let read = |body: serde_json::Value, is_whole| {
            let mut fields = BodyFields::new(body.as_object().unwrap().clone(), false).of(is_whole, chrono_tz::UTC);
            let Example { name, days, level } = Example::take(&mut fields);
            (name, days, level.map(Level::get), fields.refuse().body().to_string())
        };
        let sent = serde_json::json!({"name": "abc", "number": 9, "level": 5});
        assert_eq!(read(sent, true), (Some("abc".to_owned()), Some(9), Some(5), "{}".to_owned()));
        let (name, days, _, errors) = read(serde_json::json!({"name": "abcd", "number": 10}), true);
        assert_eq!((name, days), (None, None));
        assert_eq!(
            errors,
            r#"{"name":["Ensure this field has no more than 3 characters."],"number":["Ensure this value is less than or equal to 9."]}"#
        );
        assert_eq!(read(serde_json::json!({}), true).3, r#"{"name":["This field is required."]}"#);
        assert_eq!(read(serde_json::json!({}), false).3, "{}");
    }
}
