//! Actions, named by their tag. Several apps may have one of the same tag.

use crate::catalog::document::{App, AppAction, Catalog};
use crate::catalog::event::{CatalogEvent, Lookup, Runs};
use crate::catalog::tag::Tag;

/// An action of an app.
#[derive(Clone, Copy, Debug)]
pub struct ActionEvent<'c> {
    /// The app's tag.
    pub app_tag: &'c Tag,
    /// The app.
    pub app: &'c App,
    /// The action.
    pub action: &'c AppAction,
}

impl<'c> CatalogEvent<'c> for ActionEvent<'c> {
    fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
        let named = |app_tag: &str| {
            let (app_tag, app) = lookup.catalog.apps.get_key_value(app_tag)?;
            Some(Self { app_tag, app, action: app.actions.get(lookup.tag)? })
        };
        match (lookup.app, lookup.apps) {
            (Some(app), _) => named(app).into_iter().collect(),
            (None, Some(apps)) => apps.iter().filter_map(|app| named(app.as_str())).collect(),
            (None, None) => lookup.catalog.apps.keys().filter_map(|app| named(app.as_str())).collect::<Vec<_>>(),
        }
    }

    fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
        catalog.apps.iter().flat_map(|(app_tag, app)| {
            app.actions.iter().map(move |(tag, action)| (tag.to_string(), Self { app_tag, app, action }))
        })
    }

    fn app(&self) -> Option<&'c Tag> {
        Some(self.app_tag)
    }

    fn is_in(&self, env: &str) -> bool {
        self.app.envs.contains_key(env)
    }

    fn runs(&self) -> Option<Runs<'c>> {
        None
    }
}
