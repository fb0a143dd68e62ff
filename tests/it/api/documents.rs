//! The OpenAPI documents, kept as reviewed snapshots, and what must hold for them.

use std::collections::BTreeSet;

use argusd::http::{Version, docs, native_openapi, openapi};

#[test]
fn version_one_is_as_reviewed() {
    insta::assert_snapshot!("openapi_v1", openapi(Version::V1).to_yaml().unwrap());
}

#[test]
fn version_two_is_as_reviewed() {
    insta::assert_snapshot!("openapi_v2", openapi(Version::V2).to_yaml().unwrap());
}

#[test]
fn the_native_document_is_as_reviewed() {
    insta::assert_snapshot!("openapi_native", native_openapi().to_yaml().unwrap());
}

#[test]
fn operations_are_described_and_have_ids_of_their_own() {
    for document in Version::ALL.map(openapi).into_iter().chain([native_openapi()]) {
        let mut ids = BTreeSet::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in docs::operations(item) {
                assert!(operation.summary.is_some(), "{method} {path} has no summary");
                assert!(!operation.responses.responses.is_empty(), "{method} {path} has no answer");
                let id = operation.operation_id.clone().unwrap();
                assert!(ids.insert(id.clone()), "{id} names two operations");
            }
        }
    }
}

#[test]
fn version_one_has_no_metadata() {
    let v1 = openapi(Version::V1).to_json().unwrap();
    let v2 = openapi(Version::V2).to_json().unwrap();
    let incident = |document: &str| {
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        document["components"]["schemas"]["Incident"]["properties"].clone()
    };
    assert!(incident(&v1).get("metadata").is_none() && incident(&v1).get("level").is_some());
    assert!(incident(&v2).get("metadata").is_some());
}
