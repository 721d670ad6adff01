//! Job definitions, fallbacks and features: named by their tag, in every environment, and made of other events.

use crate::catalog::document::{Catalog, Fallback, FallbackOption, Feature, FeatureStep, JobDefinition};
use crate::catalog::event::{CatalogEvent, Lookup, Runs, components};
use crate::catalog::tag::Tag;

/// Defines the event of a component that runs others, given how it names them.
macro_rules! composite {
    ($(#[$meta:meta])* $event:ident, $(#[$of_meta:meta])* $component:ident: $type:ident in $components:ident, $events:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        pub struct $event<'c> {
            /// The catalog, which has the events that it runs.
            pub catalog: &'c Catalog,
            /// Its tag.
            pub tag: &'c Tag,
            $(#[$of_meta])*
            pub $component: &'c $type,
        }

        impl<'c> CatalogEvent<'c> for $event<'c> {
            fn find(lookup: &Lookup<'c, '_>) -> impl IntoIterator<Item = Self> {
                let catalog = lookup.catalog;
                lookup.component(&catalog.$components).map(|(tag, $component)| Self { catalog, tag, $component })
            }

            fn all(catalog: &'c Catalog) -> impl IntoIterator<Item = (String, Self)> {
                components(&catalog.$components)
                    .map(move |(name, (tag, $component))| (name, Self { catalog, tag, $component }))
            }

            fn is_in(&self, _: &str) -> bool {
                true
            }

            fn runs(&self) -> Option<Runs<'c>> {
                let path = vec![stringify!($components), self.tag.as_str()];
                Some(Runs { path, events: Box::new($events(self.$component)) })
            }
        }
    };
}

composite!(
    /// A job definition.
    JobEvent,
    /// The definition.
    definition: JobDefinition in jobs,
    |definition: &'c JobDefinition| std::iter::once(definition.event_ref())
);

composite!(
    /// A fallback.
    FallbackEvent,
    /// The fallback.
    fallback: Fallback in fallbacks,
    |fallback: &'c Fallback| fallback.options.iter().map(FallbackOption::event_ref)
);

composite!(
    /// A feature.
    FeatureEvent,
    /// The feature.
    feature: Feature in features,
    |feature: &'c Feature| feature.steps.iter().map(FeatureStep::event_ref)
);
