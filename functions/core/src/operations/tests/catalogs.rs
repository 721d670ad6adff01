//! Publishing catalogs: preconditions, and who may.

use super::*;
use crate::catalog::Revision;
use crate::ports::Published;

fn put(stack: &Stack, document: &Value, condition: &Condition) -> Result<(Arc<Published>, bool), OperationError> {
    let (owner, body) = (owner_of_shop(), document.to_string());
    block_on(put_catalog(&stack.memory, &owner, "shop", body.as_bytes(), condition))
}

fn stored(stack: &Stack) -> Option<Revision> {
    stack.memory.tables().catalogs.get("shop").map(|published| published.revision.clone())
}

#[test]
fn a_catalog_is_replaced_only_under_its_precondition() {
    let stack = Stack::new();
    let first = stored(&stack).unwrap();
    let mut changed = shop();
    changed["quotas"] = json!({"q": {"limit": 1, "period": "day"}});
    for condition in [Condition::Absent, Condition::Is(vec![Revision::named("other")]), Condition::Is(vec![])] {
        assert!(matches!(put(&stack, &changed, &condition), Err(OperationError::PreconditionFailed)), "{condition:?}");
        assert_eq!(stored(&stack).as_ref(), Some(&first));
    }
    let named = Condition::Is(vec![Revision::named("other"), first.clone()]);
    let (published, is_new) = put(&stack, &changed, &named).unwrap();
    assert!(!is_new && published.revision != first && stored(&stack).as_ref() == Some(&published.revision));
    assert_eq!(published.document, changed);
    assert!(!put(&stack, &shop(), &Condition::Exists).unwrap().1);
    assert_eq!(stored(&stack), Some(first), "the same content has the same revision");
}

#[test]
fn a_new_product_is_said_to_be_new() {
    let stack = Stack::new();
    stack.memory.tables().catalogs.clear();
    assert!(matches!(put(&stack, &shop(), &Condition::Exists), Err(OperationError::PreconditionFailed)));
    assert!(put(&stack, &shop(), &Condition::Absent).unwrap().1);
    assert!(matches!(put(&stack, &shop(), &Condition::Absent), Err(OperationError::PreconditionFailed)));
}

#[test]
fn a_catalog_is_read_as_it_was_sent_and_past_the_cache() {
    let stack = Stack::new();
    stack.memory.tables().cached_catalogs.insert("shop".into(), None);
    let reader = ApiKey { scopes: vec![Scope::JobsRead], ..key("shop", "prd") };
    let published = block_on(get_catalog(&stack.memory, &reader, "shop")).unwrap();
    assert_eq!(published.document, shop());
    for (caller, product) in [(key("bank", "*"), "shop"), (owner_of_shop(), "bank"), (key("*", "*"), "none")] {
        let error = block_on(get_catalog(&stack.memory, &caller, product)).unwrap_err();
        assert!(matches!(error, OperationError::NotFound("product")), "{error:?}");
    }
}

#[test]
fn a_catalog_is_deleted_under_its_precondition_and_once() {
    let stack = Stack::new();
    let delete = |condition: &Condition| block_on(delete_catalog(&stack.memory, &owner_of_shop(), "shop", condition));
    let other = Condition::Is(vec![Revision::named("other")]);
    assert!(matches!(delete(&other), Err(OperationError::PreconditionFailed)));
    assert!(stored(&stack).is_some());
    delete(&Condition::Is(vec![stored(&stack).unwrap()])).unwrap();
    assert!(matches!(delete(&Condition::Always), Err(OperationError::NotFound("product"))));
}

#[test]
fn only_a_key_to_the_whole_product_changes_its_catalog() {
    let stack = Stack::new();
    let before = stored(&stack);
    let body = shop().to_string();
    let refused = |caller: &ApiKey| {
        let put =
            block_on(put_catalog(&stack.memory, caller, "shop", body.as_bytes(), &Condition::Always)).unwrap_err();
        let delete = block_on(delete_catalog(&stack.memory, caller, "shop", &Condition::Always)).unwrap_err();
        (put, delete)
    };
    for stranger in [key("bank", "*"), key("shop", "prd")] {
        assert!(matches!(refused(&stranger), (OperationError::NotOpened, OperationError::NotOpened)));
    }
    let reader = ApiKey { scopes: vec![Scope::JobsRead, Scope::JobsWrite], ..owner_of_shop() };
    let missing = |error: &OperationError| matches!(error, OperationError::MissingScope(Scope::CatalogWrite));
    let (put, delete) = refused(&reader);
    assert!(missing(&put) && missing(&delete));
    assert_eq!(stored(&stack), before);
}

#[test]
fn a_product_has_a_tag_for_a_name_and_a_sound_document() {
    let stack = Stack::new();
    let put = |product: &str, body: &[u8]| {
        block_on(put_catalog(&stack.memory, &key("*", "*"), product, body, &Condition::Always)).unwrap_err()
    };
    let sound = shop().to_string();
    for product in ["", "..", "a/b", "a:b", &"x".repeat(65)] {
        match put(product, sound.as_bytes()) {
            OperationError::Invalid(faults) => assert_eq!(faults[0].pointer, "path:product_tag"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(put("shop", b"{"), OperationError::Unreadable(_)));
    // Space around a document counts too: what is stored has to fit one item.
    let large = format!("{sound}{}", " ".repeat(crate::catalog::MAX_DOCUMENT_BYTES));
    assert!(matches!(put("shop", large.as_bytes()), OperationError::Invalid(faults) if faults[0].pointer.is_empty()));
    assert!(matches!(put("shop", b"{}"), OperationError::Invalid(faults) if faults[0].pointer == "/envs"));
}

#[test]
fn a_catalog_that_cannot_be_stored_is_an_error() {
    for call in [PortCall::FreshCatalog, PortCall::PutCatalog] {
        let stack = Stack::new();
        let before = stored(&stack);
        stack.script(call, Fault::Before);
        assert!(matches!(put(&stack, &json!({"envs": ["prd"]}), &Condition::Always), Err(OperationError::Port(_))));
        assert_eq!(stored(&stack), before);
    }
    let stack = Stack::new();
    stack.script(PortCall::DeleteCatalog, Fault::Before);
    let delete = block_on(delete_catalog(&stack.memory, &owner_of_shop(), "shop", &Condition::Always));
    assert!(matches!(delete, Err(OperationError::Port(_))));
}
