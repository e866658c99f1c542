//! No circle between the modules of a crate.
//!
//! An edge is a path of the code that leads into another module of the same crate, by `crate::`,
//! `super::` or `self::`; a name that a module only passes on (`pub use`) leads to where it comes
//! from. The crate's root is its wiring: it may use every module, and every module what it defines.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use syn::visit::{self, Visit};

use super::source::{files, is_for_tests, is_rust, none, parsed, shown};

/// A module's path from the crate's root; the root's is empty.
type Module = Vec<String>;

#[derive(Default)]
struct Reader {
    here: Module,
    /// Paths as the code writes them, made absolute.
    uses: Vec<Vec<String>>,
    /// Names that the module passes on, with where they come from.
    exports: Vec<(String, Vec<String>)>,
}

impl Reader {
    /// `crate::a::B`, `super::B` and `self::B` from the crate's root; `None`: another crate's, or a
    /// name in scope.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let mut at = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.here.clone(),
            Some(_) | None => return None,
        };
        for (n, word) in path.iter().enumerate() {
            match word.as_str() {
                "super" => drop(at.pop()),
                "crate" | "self" if n == 0 => {}
                word => at.push(word.to_owned()),
            }
        }
        Some(at)
    }

    fn tree(&mut self, prefix: &[String], tree: &syn::UseTree, exported: bool) {
        let with = |ident: &syn::Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, exported),
            syn::UseTree::Name(name) => {
                self.leaf(&with(&name.ident), &name.ident.to_string(), exported);
            }
            syn::UseTree::Rename(rename) => {
                self.leaf(&with(&rename.ident), &rename.rename.to_string(), exported);
            }
            syn::UseTree::Glob(_) => self.leaf(prefix, "*", exported),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.tree(prefix, item, exported));
            }
        }
    }

    fn leaf(&mut self, path: &[String], name: &str, exported: bool) {
        let path: Vec<String> = path.iter().filter(|word| *word != "self").cloned().collect();
        if exported {
            let from = self.absolute(&path).unwrap_or_else(|| [&self.here[..], &path].concat());
            self.exports.push((name.to_owned(), from));
        } else if let Some(path) = self.absolute(&path) {
            self.uses.push(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let exported = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&[], &item.tree, exported);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(path) = self.absolute(&words) {
            self.uses.push(path);
        }
        visit::visit_path(self, path);
    }
}

fn module_of(source: &Path, file: &Path) -> Module {
    let inside = file.strip_prefix(source).unwrap().with_extension("");
    let mut module: Module =
        inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

fn modules(source: &Path, files: &[PathBuf]) -> BTreeMap<Module, Reader> {
    let mut modules = BTreeMap::new();
    for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
        let here = module_of(source, file);
        let mut reader = Reader { here: here.clone(), ..Reader::default() };
        reader.visit_file(&parsed(file));
        modules.insert(here, reader);
    }
    modules
}

/// The module in which a path ends, behind what other modules pass on.
fn resolve(modules: &BTreeMap<Module, Reader>, path: &[String], depth: usize) -> Option<Module> {
    let length = (0..=path.len()).rev().find(|n| modules.contains_key(&path[..*n]))?;
    let (module, rest) = path.split_at(length);
    let name = rest.first();
    let passed_on = name.and_then(|name| {
        let exports = &modules.get(module)?.exports;
        exports.iter().find(|(exported, _)| exported == name).map(|(_, from)| from)
    });
    match passed_on {
        Some(from) if depth > 0 => resolve(modules, from, depth - 1),
        _ => Some(module.to_vec()),
    }
}

fn edges(modules: &BTreeMap<Module, Reader>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut edges = BTreeMap::new();
    for (here, reader) in modules.iter().filter(|(here, _)| !here.is_empty()) {
        let to = reader.uses.iter().filter_map(|path| resolve(modules, path, 9));
        let to = to.filter(|to| !to.is_empty() && to != here).collect();
        edges.insert(here.clone(), to);
    }
    edges
}

/// A way from a module back to itself.
fn circle(edges: &BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> Option<Vec<Module>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![from.clone()]];
    while let Some(way) = open.pop() {
        for next in edges.get(way.last()?).into_iter().flatten() {
            let way = [&way[..], std::slice::from_ref(next)].concat();
            if next == from {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                open.push(way);
            }
        }
    }
    None
}

#[test]
fn no_two_modules_of_a_crate_use_each_other_in_a_circle() {
    let rooms = ["proto", "crates", "services", "bench"].into_iter();
    let manifests = rooms.flat_map(|f| files(f, |path| path.ends_with("Cargo.toml")));
    let mut findings = Vec::new();
    let mut arrows = 0;
    for manifest in manifests {
        let source = manifest.parent().unwrap().join("src");
        let inside = files(&shown(&source), is_rust);
        let edges = edges(&modules(&source, &inside));
        arrows += edges.values().map(BTreeSet::len).sum::<usize>();
        let circles: BTreeSet<Vec<String>> = edges
            .keys()
            .filter_map(|from| circle(&edges, from))
            .map(|way| way.iter().map(|module| module.join("::")).collect())
            .collect();
        let room = shown(manifest.parent().unwrap());
        findings.extend(circles.iter().map(|way| format!("{room}: {}", way.join(" -> "))));
    }
    assert!(arrows > 100, "only {arrows} arrows: the reader does not see the uses");
    none("modules do not use each other in a circle", &findings);
}
