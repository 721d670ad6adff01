//! The telemetry that the functions write, the table in infra/README.md and the dashboard with its alarms in infra/ are one
//! contract.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use carillon_aws::metrics::{ALL, NAMESPACE};
use carillon_tests::process::root;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A metric's unit, and what tells its series apart.
type Described = (String, BTreeSet<String>);

fn written() -> BTreeMap<String, Described> {
    let dimensions = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    ALL.iter().map(|it| (it.name.to_owned(), (it.unit.to_owned(), dimensions(it.dimensions)))).collect()
}

/// The cells of the first table under the heading `Telemetry`, row by row, its head first.
fn table(markdown: &str) -> Vec<Vec<String>> {
    let (mut rows, mut heading, mut is_ours) = (Vec::<Vec<String>>::new(), None, false);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => is_ours = heading.take().is_some_and(|text| text == "Telemetry"),
            Event::Text(text) if heading.is_some() => heading = heading.map(|heading| heading + &text),
            Event::Start(Tag::TableHead | Tag::TableRow) if is_ours => rows.push(Vec::new()),
            Event::Start(Tag::TableCell) if is_ours => rows.last_mut().expect("a row").push(String::new()),
            Event::Text(text) | Event::Code(text) if is_ours => {
                if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                    cell.push_str(&text);
                }
            }
            Event::End(TagEnd::Table) if is_ours => return rows,
            _ => {}
        }
    }
    rows
}

#[test]
fn the_readmes_table_names_every_metric_and_no_other() {
    let readme = std::fs::read_to_string(root().join("infra/README.md")).expect("infra/README.md");
    let rows = table(&readme);
    let (head, rows) = rows.split_first().expect("infra/README.md has a table under the heading Telemetry");
    assert_eq!(head, &["metric", "unit", "dimensions", "meaning"]);
    let mut documented = BTreeMap::new();
    for row in rows {
        let [name, unit, dimensions, meaning] = row.as_slice() else { panic!("four cells: {row:?}") };
        assert!(!meaning.is_empty(), "{name} means something");
        let dimensions = dimensions.split(',').map(|name| name.trim().to_owned()).collect();
        let doubled = documented.insert(name.clone(), (unit.clone(), dimensions)).is_some();
        assert!(!doubled, "{name} stands twice");
    }
    assert_eq!(documented, written());
}

#[test]
fn the_dashboard_and_the_alarms_name_every_metric_and_no_other() {
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a readable file");
    let infra: Vec<_> = terraform(&root().join("infra")).iter().map(read).collect();
    // Some quotes stand within quotes.
    let infra = infra.join("\n").replace("\\\"", "\"");
    let of_ours = |rest: &&str| rest.trim_start_matches([' ', '=']).starts_with(&format!("\"{NAMESPACE}\""));
    let alarms = infra.split("namespace").filter(of_ours).filter_map(|alarm| after_each(alarm, "metric ").next());
    let chart = format!("[\"{NAMESPACE}\",");
    let charts = after_each(&infra, &chart);
    let named: BTreeSet<_> = alarms.chain(charts).chain(after_each(&infra, "MetricName=")).collect();
    assert_eq!(named, written().into_keys().collect());
}

/// The next text in quotes after each occurrence of `start`.
fn after_each<'t>(text: &'t str, start: &'t str) -> impl Iterator<Item = String> + 't {
    text.split(start).skip(1).filter_map(|rest| rest.split('"').nth(1)).map(str::to_owned)
}

fn terraform(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(terraform(&path));
        } else if path.extension().is_some_and(|extension| extension == "tf") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_table_is_found_under_its_heading_alone() {
    let markdown = "# One\n\n| a | b |\n| - | - |\n| `x` | y |\n\n## Telemetry\n\nText.\n\n| metric | unit |\n| - | - |\n| `m` | Count |\n\n## Next\n\n| c |\n| - |\n| z |\n";
    assert_eq!(table(markdown), [["metric", "unit"], ["m", "Count"]]);
    assert!(table("# Telemetrie\n").is_empty());
}
