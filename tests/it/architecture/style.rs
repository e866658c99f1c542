//! The rules of a file: width, length, parameters, documentation.

use std::path::Path;

use syn::{
    spanned::Spanned,
    visit::{self, Visit},
};

use super::source::{files, is_for_tests, none, parsed, root, rust, shown, text};

/// Longest line, in characters.
const WIDTH: usize = 100;
/// Longest file, before its tests.
const FILE_MAX_LINES: usize = 400;

fn wide(path: &Path, may_be_wide: impl Fn(&str) -> bool) -> Vec<String> {
    let text = text(path);
    let lines = text.lines().enumerate();
    let wide = lines.filter(|(_, line)| line.chars().count() > WIDTH && !may_be_wide(line));
    wide.map(|(n, line)| format!("{}:{}: {}", shown(path), n + 1, line.chars().count())).collect()
}

fn everything() -> Vec<std::path::PathBuf> {
    rust(&["proto", "crates", "services", "tests", "fuzz", "bench"])
}

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    let mut findings: Vec<String> =
        everything().iter().flat_map(|path| wide(path, |_| false)).collect();
    let is_text = |path: &Path| std::fs::read_to_string(path).is_ok();
    for path in files("scripts", is_text).into_iter().chain(files("docker", is_text)) {
        findings.extend(wide(&path, |_| false));
    }
    findings.extend(wide(&root().join("Makefile"), |_| false));
    for path in files("migrations", |path| path.extension().is_some_and(|e| e == "sql")) {
        findings.extend(wide(&path, |_| false));
    }
    none("a line has at most 100 columns", &findings);
}

#[test]
fn no_file_is_longer_than_four_hundred_lines_before_its_tests() {
    let length = |path: &Path| {
        let text = text(path);
        text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(text.lines().count())
    };
    let long = |path: &Path| {
        let lines = length(path);
        (lines > FILE_MAX_LINES).then(|| format!("{}: {lines}", shown(path)))
    };
    let findings: Vec<String> = everything().iter().filter_map(|path| long(path)).collect();
    none("a file has at most 400 lines before its tests", &findings);
}

/// Reads what is not there for tests.
#[derive(Default)]
struct Reader {
    tuples: Vec<(String, usize)>,
    bool_matches: Vec<usize>,
    undocumented: Vec<(String, usize)>,
}

fn line(of: proc_macro2::Span) -> usize {
    of.start().line
}

fn is_tuple(ty: &syn::Type) -> bool {
    if let syn::Type::Reference(reference) = ty {
        return is_tuple(&reference.elem);
    }
    matches!(ty, syn::Type::Tuple(tuple) if !tuple.elems.is_empty())
}

impl Reader {
    fn signature(&mut self, signature: &syn::Signature) {
        let tuple = signature.inputs.iter().any(|input| match input {
            syn::FnArg::Typed(typed) => is_tuple(&typed.ty),
            syn::FnArg::Receiver(_) => false,
        });
        if tuple {
            self.tuples.push((signature.ident.to_string(), line(signature.span())));
        }
    }

    fn documented(
        &mut self,
        visibility: &syn::Visibility,
        attributes: &[syn::Attribute],
        name: &syn::Ident,
    ) {
        let is_public = matches!(visibility, syn::Visibility::Public(_));
        if is_public && !attributes.iter().any(|a| a.path().is_ident("doc")) {
            self.undocumented.push((name.to_string(), line(name.span())));
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !is_for_tests(&function.attrs) {
            self.signature(&function.sig);
            self.documented(&function.vis, &function.attrs, &function.sig.ident);
            visit::visit_item_fn(self, function);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.signature(&function.sig);
        self.documented(&function.vis, &function.attrs, &function.sig.ident);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.signature(&function.sig);
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.documented(&item.vis, &item.attrs, &item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.documented(&item.vis, &item.attrs, &item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.documented(&item.vis, &item.attrs, &item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.documented(&item.vis, &item.attrs, &item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.documented(&item.vis, &item.attrs, &item.ident);
    }

    fn visit_expr_match(&mut self, expression: &'ast syn::ExprMatch) {
        let is_bool = |pattern: &syn::Pat| {
            let syn::Pat::Lit(literal) = pattern else { return false };
            matches!(literal.lit, syn::Lit::Bool(_))
        };
        if expression.arms.iter().any(|arm| is_bool(&arm.pat)) {
            self.bool_matches.push(line(expression.span()));
        }
        visit::visit_expr_match(self, expression);
    }
}

/// What the reader finds in the code that is not a test.
fn read(path: &Path) -> Reader {
    let mut reader = Reader::default();
    reader.visit_file(&parsed(path));
    reader
}

fn production() -> Vec<std::path::PathBuf> {
    let mut found = rust(&["proto", "crates", "services", "bench"]);
    found.retain(|path| {
        let shown = shown(path);
        !shown.contains("/tests/") && !shown.ends_with("/tests.rs")
    });
    found
}

#[test]
fn no_function_takes_a_tuple() {
    let mut findings = Vec::new();
    for path in production() {
        let at = |(name, line): (String, usize)| format!("{}:{line}: {name}", shown(&path));
        findings.extend(read(&path).tuples.into_iter().map(at));
    }
    none("things that travel together are a struct with a noun for a name", &findings);
}

#[test]
fn nobody_matches_on_true_and_false() {
    let mut findings = Vec::new();
    for path in production() {
        let at = |line: usize| format!("{}:{line}", shown(&path));
        findings.extend(read(&path).bool_matches.into_iter().map(at));
    }
    none("use if and else", &findings);
}

#[test]
fn public_types_traits_and_functions_are_documented() {
    let mut findings = Vec::new();
    for path in production() {
        let at = |(name, line): (String, usize)| format!("{}:{line}: {name}", shown(&path));
        findings.extend(read(&path).undocumented.into_iter().map(at));
    }
    none("a public type, trait or function says what it means", &findings);
}

#[test]
fn every_file_says_what_it_is() {
    let opens = |path: &Path| text(path).lines().next().is_some_and(|l| l.starts_with("//!"));
    let silent = everything().into_iter().filter(|path| !opens(path));
    let findings: Vec<String> = silent.map(|path| shown(&path)).collect();
    none("a file opens with //!", &findings);
}
