//! A statement taken apart as far as the rules need it: its queries, their tables, conditions and limits.

/// One statement of the store.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// Module and constant, as `journal::APPEND`.
    pub(super) name: String,
    pub(super) text: String,
}

/// A word or sign of a statement, with the depth of brackets around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    depth: usize,
}

/// A `SELECT`, `INSERT`, `UPDATE` or `DELETE`, the statement's own or one inside it.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) tokens: Vec<Token>,
    depth: usize,
}

/// One condition of several joined by `AND`.
#[derive(Debug)]
pub(super) struct Condition {
    /// The column, without its table.
    pub(super) column: String,
    /// Its tokens after the column.
    pub(super) rest: Vec<String>,
}

impl Condition {
    pub(super) fn is_equality(&self) -> bool {
        self.rest.first().is_some_and(|sign| sign == "=")
    }

    /// Whether it names the project that the caller has a right to.
    pub(super) fn is_of_project(&self) -> bool {
        self.column == "project_id"
            && self.is_equality()
            && self.rest.len() == 2
            && self.rest[1].starts_with('$')
    }

    /// Whether it takes one of the values that the statement lists.
    pub(super) fn is_list_of_values(&self) -> bool {
        self.rest.first().is_some_and(|word| word == "IN")
            && self.rest.iter().all(|word| word != "SELECT")
    }

    /// Whether it takes a bounded list of a query's answers.
    pub(super) fn is_bounded_list(&self) -> bool {
        self.rest.first().is_some_and(|word| word == "IN")
            && self.rest.iter().any(|word| word == "SELECT")
            && self.rest.iter().any(|word| word == "LIMIT")
    }
}

impl Statement {
    pub(super) fn new(name: &str, text: &str) -> Statement {
        Statement {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(super) fn tokens(&self) -> Vec<Token> {
        let mut tokens = Vec::new();
        let mut depth = 0;
        let mut characters = self.text.chars().peekable();
        while let Some(first) = characters.next() {
            let mut text = String::from(first);
            let mut take = |belongs: fn(char) -> bool| {
                while let Some(next) = characters.next_if(|next| belongs(*next)) {
                    text.push(next);
                }
            };
            match first {
                _ if first.is_whitespace() => continue,
                '\'' => {
                    take(|next| next != '\'');
                    characters.next();
                }
                '<' | '>' | '!' => take(|next| next == '=' || next == '>'),
                _ if is_of_word(first) => take(is_of_word),
                _ => {}
            }
            if first == ')' {
                depth -= 1;
            }
            tokens.push(Token { text, depth });
            if first == '(' {
                depth += 1;
            }
        }
        tokens
    }

    /// The statement's own query and those inside it, outer ones first.
    pub(super) fn queries(&self) -> Vec<Query> {
        let tokens = self.tokens();
        let mut queries = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let begins = ["SELECT", "INSERT", "UPDATE", "DELETE"].contains(&token.text.as_str());
            let before = at.checked_sub(1).map(|before| tokens[before].text.as_str());
            if begins && matches!(before, None | Some("(")) {
                let depth = token.depth;
                let end = |token: &&Token| token.depth >= depth;
                queries.push(Query {
                    tokens: tokens[at..].iter().take_while(end).cloned().collect(),
                    depth,
                });
            }
        }
        queries
    }

    /// How many placeholders there are.
    pub(super) fn places(&self) -> usize {
        let tokens = self.tokens();
        let place = |token: &Token| token.text.strip_prefix('$')?.parse().ok();
        tokens.iter().filter_map(place).max().unwrap_or(0)
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || ['_', '.', '$'].contains(&character)
}

impl Query {
    pub(super) fn verb(&self) -> &str {
        &self.tokens[0].text
    }

    fn at_its_depth(&self, word: &str) -> Option<usize> {
        self.tokens
            .iter()
            .position(|token| token.depth == self.depth && token.text == word)
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.at_its_depth(word).is_some()
    }

    /// The tables that it reads or writes by their names: what stands in the place of a table.
    pub(super) fn tables(&self) -> Vec<&str> {
        let mut tables = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let precedes = ["FROM", "JOIN", "INTO"].contains(&token.text.as_str())
                || (at == 0 && token.text == "UPDATE");
            if precedes && token.depth == self.depth {
                let table = self.tokens.get(at + 1).map_or("", |table| &table.text);
                if table != "(" {
                    tables.push(table);
                }
                let further = self.tokens.get(at + 2);
                assert!(
                    further.is_none_or(|next| next.text != ","),
                    "tables are joined by JOIN: {:?}",
                    self.tokens
                );
            }
        }
        tables
    }

    /// The conditions of its `WHERE` and `ON`; an `INSERT`'s are those on the row it conflicts with.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        const END: &[&str] = &[
            "GROUP",
            "ORDER",
            "LIMIT",
            "RETURNING",
            "WHERE",
            "JOIN",
            "ON",
            "SET",
        ];
        let mut conditions = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            let follows = self.tokens.get(at + 1).is_none_or(|t| t.text != "CONFLICT");
            if token.depth != self.depth
                || !["WHERE", "ON"].contains(&token.text.as_str())
                || !follows
            {
                continue;
            }
            let ends =
                |token: &Token| token.depth == self.depth && END.contains(&token.text.as_str());
            let rest = &self.tokens[at + 1..];
            let until = rest.iter().position(ends).unwrap_or(rest.len());
            let parts = rest[..until].split(|t| t.depth == self.depth && t.text == "AND");
            conditions.extend(parts.flat_map(conditions_of));
        }
        conditions
    }

    /// Whether it answers one row, whatever it reads.
    pub(super) fn is_total(&self) -> bool {
        let counts = ["COUNT", "SUM", "MIN", "MAX"];
        self.verb() == "SELECT"
            && !self.has("GROUP")
            && self.tokens[1..]
                .iter()
                .take(3)
                .any(|token| counts.contains(&token.text.as_str()))
    }

    /// The columns in the brackets after a word: those an `INSERT` fills, or its conflict target.
    pub(super) fn columns_after(&self, word: &str) -> Vec<&str> {
        let Some(at) = self.tokens.iter().position(|token| token.text == word) else {
            return Vec::new();
        };
        let inside = self.tokens[at..]
            .iter()
            .skip_while(|token| token.text != "(")
            .skip(1);
        let columns = inside.take_while(|token| token.text != ")");
        let columns = columns.map(|token| token.text.as_str());
        columns.filter(|text| *text != ",").collect()
    }

    /// The columns that a `SET` changes.
    pub(super) fn columns_set(&self) -> Vec<&str> {
        let Some(at) = self.at_its_depth("SET") else {
            return Vec::new();
        };
        let assigned = self.tokens[at..].windows(3).filter(|three| {
            three.iter().all(|token| token.depth == self.depth)
                && ["SET", ","].contains(&three[0].text.as_str())
                && three[2].text == "="
        });
        assigned.map(|three| three[1].text.as_str()).collect()
    }
}

/// What a comparison asks of each of its columns: one, or those of a row such as `(day_us, reason) > ($3, $4)`.
fn conditions_of(tokens: &[Token]) -> Vec<Condition> {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
    let (columns, rest) = match texts.first() {
        Some(&"(") => {
            let end = texts.iter().position(|text| *text == ")").unwrap_or(0);
            (&texts[1..end.max(1)], &texts[end + 1..])
        }
        _ => texts.split_at(1.min(texts.len())),
    };
    let columns = columns.iter().filter(|column| **column != ",");
    columns
        .map(|column| Condition {
            column: unqualified(column).to_owned(),
            rest: rest.iter().map(|text| (*text).to_owned()).collect(),
        })
        .collect()
}

/// A column's name without its table's.
pub(super) fn unqualified(column: &str) -> &str {
    column.rsplit('.').next().unwrap_or(column)
}

#[test]
fn a_statement_comes_apart_into_its_queries() {
    let statement = Statement::new(
        "made_up",
        "DELETE FROM run WHERE project_id = $1 AND id IN \
         (SELECT id FROM run WHERE project_id = $1 AND at_us < $2 ORDER BY at_us LIMIT $3)",
    );
    let queries = statement.queries();
    assert_eq!(queries.len(), 2);
    assert_eq!(statement.places(), 3);
    for (query, columns) in queries
        .iter()
        .zip([["project_id", "id"], ["project_id", "at_us"]])
    {
        assert_eq!(query.tables(), ["run"]);
        let conditions = query.conditions();
        assert!(conditions[0].is_of_project());
        let found: Vec<&str> = conditions.iter().map(|c| c.column.as_str()).collect();
        assert_eq!(found, columns);
    }
    assert!(queries[0].conditions()[1].is_bounded_list());
    assert!(!queries[0].has("LIMIT") && queries[1].has("LIMIT"));
}

#[test]
fn an_upsert_comes_apart_into_columns_target_and_changes() {
    let statement = Statement::new(
        "made_up",
        "INSERT INTO lease (project_id, kind, fence) VALUES ($1, 'fold', 1) ON CONFLICT (project_id, kind) \
         DO UPDATE SET fence = lease.fence + 1, kind = 'x' WHERE lease.until_us < $2 RETURNING fence",
    );
    let query = &statement.queries()[0];
    assert_eq!(query.tables(), ["lease"]);
    assert_eq!(query.columns_after("INTO"), ["project_id", "kind", "fence"]);
    assert_eq!(query.columns_after("CONFLICT"), ["project_id", "kind"]);
    assert_eq!(query.columns_set(), ["fence", "kind"]);
    assert_eq!(query.conditions()[0].column, "until_us");
}
