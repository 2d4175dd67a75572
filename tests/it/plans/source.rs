//! The statements below `src/store`, read from its sources: no statement escapes the rules by not being listed.
//!
//! A statement is a constant that is one string. What is built when first used is told by `store::built_statements`.
//! Any other text that looks like SQL is an offence, so that neither can be left out in silence.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::statement::Statement;

/// What is said to one engine about the whole database: by an operator's command, and once at a start.
const WHOLE: &[&str] = &["backup::", "pooler::"];

fn is_about_the_whole(name: &str) -> bool {
    WHOLE.iter().any(|module| name.starts_with(module))
}

/// What one source file holds.
#[derive(Default)]
pub(super) struct Source {
    /// Constants that are statements.
    pub(super) statements: Vec<Statement>,
    /// Items that build statements, by name.
    pub(super) builders: BTreeSet<String>,
    /// Where SQL stands otherwise.
    pub(super) strays: Vec<String>,
}

/// All statements of the store, constants and built ones.
pub(super) fn statements() -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut folders = vec![root.clone()];
    let mut all = Source::default();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).unwrap() {
            let path = path.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let module = path.strip_prefix(&root).unwrap().with_extension("");
                let module = module.to_str().unwrap().replace('/', "::");
                let source = read(&module, &text);
                all.statements.extend(source.statements);
                all.builders.extend(source.builders);
                all.strays.extend(source.strays);
            }
        }
    }
    all.strays.retain(|stray| !is_about_the_whole(stray));
    assert!(all.strays.is_empty(), "\n{}\n", all.strays.join("\n"));
    let built = longwatch::store::built_statements();
    let told: BTreeSet<String> = built.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        all.builders, told,
        "what the sources build (left) is not what store::built_statements tells (right)"
    );
    let built = built.into_iter();
    all.statements
        .extend(built.map(|(name, text)| Statement::new(name, text)));
    all.statements
        .retain(|statement| !is_about_the_whole(&statement.name));
    all.statements.sort_by(|a, b| a.name.cmp(&b.name));
    all.statements
}

/// Reads one file of the module of this name.
pub(super) fn read(module: &str, text: &str) -> Source {
    let tokens: TokenStream = text.parse().unwrap();
    let mut source = Source::default();
    for item in items(tokens) {
        let literals = literals(&item);
        let name = name(&item);
        let place = format!("{module}::{}", name.as_deref().unwrap_or("…"));
        if let Some(text) = constant(&item) {
            if looks_like_sql(&text) {
                source.statements.push(Statement::new(&place, &text));
            }
        } else if let Some(text) = literals.iter().find(|text| looks_like_sql(text)) {
            if is_static(&item) {
                source.builders.insert(place.clone());
            } else {
                source.strays.push(format!(
                    "{place}: {text:?} is SQL outside of a constant; make it a `const`, or a `static` that \
                     store::built_statements tells"
                ));
            }
        }
        if names(&item, "AssertSqlSafe") {
            source
                .strays
                .push(format!("{place}: AssertSqlSafe lets unseen text through"));
        }
    }
    source
}

/// The items of a module, each with its own tokens; unit tests left out.
fn items(tokens: TokenStream) -> Vec<Vec<TokenTree>> {
    let (mut items, mut item) = (Vec::new(), Vec::new());
    for token in tokens {
        let ends = match &token {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        item.push(token);
        if ends {
            items.push(std::mem::take(&mut item));
        }
    }
    items.push(item);
    items.retain(|item| !is_test(item));
    items
}

fn is_test(item: &[TokenTree]) -> bool {
    item.iter().any(|token| match token {
        TokenTree::Group(group) => {
            let attribute: String = group.to_string().split_whitespace().collect();
            attribute == "[cfg(test)]"
        }
        _ => false,
    })
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_static(item: &[TokenTree]) -> bool {
    item.iter().any(|token| is_word(token, "static"))
}

fn name(item: &[TokenTree]) -> Option<String> {
    let declares = ["const", "static", "fn", "mod", "impl"];
    let at = item
        .iter()
        .position(|token| declares.iter().any(|word| is_word(token, word)))?;
    item[at + 1..].iter().find_map(|token| match token {
        TokenTree::Ident(ident) => Some(ident.to_string()),
        _ => None,
    })
}

/// The text of a constant that is one string.
fn constant(item: &[TokenTree]) -> Option<String> {
    if !item.iter().any(|token| is_word(token, "const")) {
        return None;
    }
    let equals =
        |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '=');
    match &item[item.iter().position(equals)? + 1..] {
        [TokenTree::Literal(literal), TokenTree::Punct(_)] => string(&literal.to_string()),
        _ => None,
    }
}

/// All strings in an item, but for those of its documentation.
fn literals(item: &[TokenTree]) -> Vec<String> {
    let mut found = Vec::new();
    let mut after_hash = false;
    for token in item {
        match token {
            TokenTree::Group(group) if !after_hash => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                found.extend(literals(&inner));
            }
            TokenTree::Literal(literal) => found.extend(string(&literal.to_string())),
            _ => {}
        }
        after_hash = matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#');
    }
    found
}

fn names(item: &[TokenTree], word: &str) -> bool {
    item.iter().any(|token| match token {
        TokenTree::Group(group) => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            names(&inner, word)
        }
        other => is_word(other, word),
    })
}

/// What a string literal says; `None` for literals of another kind.
fn string(literal: &str) -> Option<String> {
    if let Some(raw) = literal.strip_prefix('r') {
        let raw = raw.trim_matches('#');
        return Some(raw.trim_matches('"').to_owned());
    }
    let inside = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    let mut characters = inside.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next()? {
            // A line goes on where the next one's text begins.
            '\n' => while characters.next_if(|next| next.is_whitespace()).is_some() {},
            'n' => text.push('\n'),
            't' => text.push('\t'),
            other => text.push(other),
        }
    }
    Some(text)
}

fn looks_like_sql(text: &str) -> bool {
    const FIRST: &[&str] = &[
        "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE", "ALTER", "DROP", "TRUNCATE",
        "VALUES", "MERGE", "REPLACE",
    ];
    const WITHIN: &[&str] = &[
        " FROM ",
        " WHERE ",
        "WHERE ",
        " VALUES ",
        "ON CONFLICT",
        "ORDER BY",
        "RETURNING ",
    ];
    let first = text.split_whitespace().next().unwrap_or_default();
    FIRST.contains(&first) || WITHIN.iter().any(|part| text.contains(part))
}

#[test]
fn the_scanner_sees_every_way_to_hold_a_statement() {
    let text = r#"
        /// UPDATE is a word of prose WHERE it stands in a comment.
        const LIST: &str = "SELECT name FROM series \
            WHERE project_id = $1";
        const NAME: &str = "fold";
        static BUILT: LazyLock<String> = LazyLock::new(|| format!("SELECT {} FROM run", 1));
        impl Store { fn list(&self) { self.db.rows("DELETE FROM run", &[]); } }
        fn joined() -> String { [LIST, " WHERE id = $2"].concat() }
        fn forced() { query(AssertSqlSafe(text)) }
        #[cfg(test)]
        mod tests { const SQL: &str = "SELECT 1"; }
    "#;
    let source = read("made_up", text);
    let found: Vec<&str> = source.statements.iter().map(|s| s.text.as_str()).collect();
    assert_eq!(found, ["SELECT name FROM series WHERE project_id = $1"]);
    assert_eq!(source.statements[0].name, "made_up::LIST");
    assert_eq!(
        source.builders,
        BTreeSet::from(["made_up::BUILT".to_owned()])
    );
    assert_eq!(source.strays.len(), 3, "{:?}", source.strays);
}
