//! One wording for what the servers' deparsers word differently.
//!
//! Measured on PostgreSQL 14 to 18 over views, rules, indexes, constraints, policies and defaults: identifiers that
//! are keywords in one version only are quoted there, and since 16 a view over one relation names its columns without
//! that relation. White space is evened out too, outside of strings, and so is what a dump and a restore word differently.

use crate::object::is_plain;

/// SQL as the server deparsed it, in its canonical wording.
pub(crate) fn sql(text: &str) -> String {
    let text = text.trim().trim_end_matches(';').trim_end();
    let is_plain = !text.contains(['"', '\n', '\t']) && !text.contains("  ") && !text.contains(CAST_ARRAY);
    if is_plain && !text.contains("((") {
        return text.to_owned();
    }
    flattened(&casts_within(&tokens(text)))
}

/// The same for the definition of a view.
pub(crate) fn view(text: &str) -> String {
    let tokens = tokens(text.trim().trim_end_matches(';').trim_end());
    flattened(&casts_within(&unqualified(&tokens).unwrap_or(tokens)))
}

const CAST_ARRAY: &str = "(ARRAY[";

/// `(ARRAY['a'::character varying, …])::text[]` is what `x IN ('a', …)` becomes where it is written first; once it was dumped and
/// restored it is `ARRAY[('a'::character varying)::text, …]`, since the parser hands a cast of an array on to its members. They are
/// the same, and the second is what stays.
fn casts_within(tokens: &[String]) -> Vec<String> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if let Some((array, length)) = cast_array(&tokens[at..]) {
            out.push(array);
            at += length;
        } else {
            out.push(tokens[at].clone());
            at += 1;
        }
    }
    out
}

/// The array at the beginning with the cast within, and how many tokens it was.
fn cast_array(tokens: &[String]) -> Option<(String, usize)> {
    let is = |at: usize, wanted: &str| tokens.get(at).is_some_and(|token| token == wanted);
    if !(is(0, "(") && is(1, "ARRAY") && is(2, "[")) {
        return None;
    }
    let close = (3..tokens.len()).find(|&at| is(at, "]"))?;
    if !(is(close + 1, ")") && is(close + 2, ":") && is(close + 3, ":")) {
        return None;
    }
    let end = (close + 4..tokens.len()).find(|&at| is(at, "["))?;
    let target = &tokens[close + 4..end];
    if !is(end + 1, "]") || target.iter().any(|token| token != " " && !token.chars().all(is_word)) {
        return None;
    }
    let members: Option<Vec<String>> = tokens[3..close]
        .split(|token| token == ",")
        .map(|member| {
            // Strings with their type; what else a member may be stays as it is written.
            let member: Vec<&str> = member.iter().map(String::as_str).skip_while(|token| *token == " ").collect();
            let fits = member.first().is_some_and(|token| token.starts_with('\''))
                && member.get(1..3) == Some(&[":", ":"])
                && member[3..].iter().all(|token| *token == " " || token.chars().all(is_word));
            fits.then(|| format!("({})::{}", member.concat(), target.concat()))
        })
        .collect();
    Some((format!("ARRAY[{}]", members?.join(", ")), end + 2))
}

/// `((a OR b) OR c)` is what the comparison of two rows becomes where it is written first; once it was dumped and restored it is
/// `(a OR b OR c)`, since the parser makes one of what follows one another. The same holds of AND.
fn flattened(tokens: &[String]) -> String {
    // What is no expression stays as it is written.
    let mut depth = 0_i32;
    let closes_all = tokens.iter().all(|token| {
        depth += i32::from(token == "(") - i32::from(token == ")");
        depth >= 0
    });
    if !closes_all || depth != 0 {
        return tokens.concat();
    }
    let mut at = 0;
    let nodes = nodes(tokens, &mut at);
    let mut out = String::new();
    write(&nodes, &mut out);
    out
}

enum Node<'a> {
    Token(&'a str),
    Group(Vec<Node<'a>>),
}

/// What stands up to the next closing parenthesis.
fn nodes<'a>(tokens: &'a [String], at: &mut usize) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.as_str() {
            "(" => {
                let within = self::nodes(tokens, at);
                nodes.push(Node::Group(within));
            }
            ")" => return nodes,
            token => nodes.push(Node::Token(token)),
        }
    }
    nodes
}

fn write(nodes: &[Node<'_>], out: &mut String) {
    let connective = connective(nodes);
    for (at, node) in nodes.iter().enumerate() {
        match node {
            Node::Token(token) => out.push_str(token),
            Node::Group(within) => {
                let joins = |node: Option<&Node<'_>>| match node {
                    None => true,
                    Some(Node::Token(word)) => Some(*word) == connective,
                    Some(Node::Group(_)) => false,
                };
                let is_space = |node: &&Node<'_>| matches!(node, Node::Token(" "));
                let before = nodes[..at].iter().rev().find(|node| !is_space(node));
                let after = nodes[at + 1..].iter().find(|node| !is_space(node));
                let is_part =
                    connective.is_some() && self::connective(within) == connective && joins(before) && joins(after);
                if is_part {
                    write(within, out);
                } else {
                    out.push('(');
                    write(within, out);
                    out.push(')');
                }
            }
        }
    }
}

/// The one word that joins what stands here, if there is only one.
fn connective<'a>(nodes: &[Node<'a>]) -> Option<&'a str> {
    let words = nodes.iter().filter_map(|node| match node {
        Node::Token(word @ ("AND" | "OR")) => Some(*word),
        Node::Token(_) | Node::Group(_) => None,
    });
    let mut words = words.peekable();
    let first = *words.peek()?;
    // Whatever else a clause is made of – SELECT, WHERE, BETWEEN – has words of its own beside them.
    let is_bare = nodes.iter().all(|node| matches!(node, Node::Group(_) | Node::Token(" " | "AND" | "OR")));
    (is_bare && words.all(|word| word == first)).then_some(first)
}

/// White space is a token of its own, one space.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_whitespace() => rest.find(|c: char| !c.is_whitespace()),
            '\'' => quoted_length(rest, '\'', tokens.last().is_some_and(|word| word == "E")),
            '"' => quoted_length(rest, '"', false),
            c if is_word(c) => rest.find(|c| !is_word(c)),
            c => Some(c.len_utf8()),
        };
        let (token, after) = rest.split_at(length.unwrap_or(rest.len()));
        tokens.push(match first {
            c if c.is_whitespace() => " ".to_owned(),
            '"' => identifier(token),
            _ => token.to_owned(),
        });
        rest = after;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// The length of the string or identifier at the start of `text`, quotes included.
fn quoted_length(text: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

/// Without its quotes where only a keyword could need them. `"char"` is another type than `char`.
fn identifier(token: &str) -> String {
    let inner = token.trim_matches('"');
    if is_plain(inner) && inner != "char" { inner.to_owned() } else { token.to_owned() }
}

/// The view's own query without the name of the one relation that it reads before its columns; `None` where it reads
/// several, or none. Queries inside of it keep their qualifiers, as on every server.
fn unqualified(tokens: &[String]) -> Option<Vec<String>> {
    let outer = outer(tokens);
    let from = (0..tokens.len()).find(|at| outer[*at] == 1 && tokens[*at] == "FROM")?;
    let ends = ["WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"];
    let ended = |at: &usize| outer[*at] == 1 && ends.contains(&tokens[*at].as_str());
    let end = (from + 1..tokens.len()).find(ended).unwrap_or(tokens.len());
    let union = |at: usize| outer[at] == 1 && ["UNION", "INTERSECT", "EXCEPT"].contains(&tokens[at].as_str());
    if (0..tokens.len()).any(union) {
        return None;
    }
    let alias = alias(&tokens[from + 1..end])?;
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let token = |offset: usize| tokens.get(at + offset).map_or("", String::as_str);
        let qualifies = outer[at] > 0
            && !(from..end).contains(&at)
            && token(0) == alias
            && token(1) == "."
            && token(2) != "*"
            && token(3) != "("
            && !matches!(
                tokens[..at].iter().rev().find(|t| *t != " ").map(String::as_str),
                Some(":" | "." | "COLLATE")
            );
        if qualifies {
            at += 2;
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    Some(kept)
}

/// For each token the depth of parentheses, from 1; 0 inside of a query in parentheses.
fn outer(tokens: &[String]) -> Vec<usize> {
    let mut open: Vec<bool> = Vec::new();
    let mut depths = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        if token == ")" {
            open.pop();
        }
        depths.push(if open.contains(&true) { 0 } else { open.len() + 1 });
        if token == "(" {
            let next = tokens[at + 1..].iter().find(|token| *token != " ").map(String::as_str);
            open.push(matches!(next, Some("SELECT" | "WITH" | "VALUES")));
        }
    }
    depths
}

/// What the one item of a FROM clause is called; `None` where there are several.
fn alias(from: &[String]) -> Option<String> {
    let mut depth = 0_usize;
    let mut flat: Vec<&str> = Vec::new();
    for (at, token) in from.iter().enumerate() {
        match token.as_str() {
            "(" => {
                if depth == 0 {
                    let next = from[at + 1..].iter().find(|token| *token != " ").map_or("", String::as_str);
                    let is_join = flat.is_empty() && !matches!(next, "SELECT" | "WITH" | "VALUES");
                    if is_join {
                        return None;
                    }
                    flat.push("()");
                }
                depth += 1;
            }
            ")" => depth = depth.saturating_sub(1),
            "," if depth == 0 => return None,
            " " | "ONLY" | "LATERAL" => {}
            token if depth == 0 => flat.push(token),
            _ => {}
        }
    }
    let end = flat.iter().position(|token| *token == "TABLESAMPLE").unwrap_or(flat.len());
    flat[..end].iter().rev().find(|token| **token != "()").map(|token| (*token).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_has_one_wording() {
        for (text, canonical) in [
            ("a  =\n\tb", "a = b"),
            ("t.\"json\" <> ''::text", "t.json <> ''::text"),
            ("\"char\"", "\"char\""),
            ("\"Odd\" || 'it''s  \"json\"'", "\"Odd\" || 'it''s  \"json\"'"),
            ("E'a\\'  b' ||  \"x\"", "E'a\\'  b' || x"),
            ("\"a\"\"b\"  c", "\"a\"\"b\" c"),
            (
                "(k)::text = ANY ((ARRAY['a, b'::character varying, 'c'::character varying])::text[])",
                "(k)::text = ANY (ARRAY[('a, b'::character varying)::text, ('c'::character varying)::text])",
            ),
            ("(ARRAY[x, 'c'::text])::text[]", "(ARRAY[x, 'c'::text])::text[]"),
            ("((((a = 1) OR (b = 2)) OR (c = 3)))", "(((a = 1) OR (b = 2) OR (c = 3)))"),
            ("(((a) AND (b)) AND ((c) OR (d)))", "((a) AND (b) AND ((c) OR (d)))"),
            ("((NOT ((a) OR (b))) OR (c))", "((NOT ((a) OR (b))) OR (c))"),
            ("(f((a) OR (b)) OR (c))", "(f((a) OR (b)) OR (c))"),
            ("'((a) OR (b)) OR (c)'", "'((a) OR (b)) OR (c)'"),
            ("(((a) OR (b)) OR (c)", "(((a) OR (b)) OR (c)"),
            ("((a) OR (b))) OR (c)", "((a) OR (b))) OR (c)"),
        ] {
            assert_eq!(sql(text), canonical);
        }
    }

    #[test]
    fn a_view_of_one_relation_has_no_qualifiers() {
        for (old, new) in [
            (
                " SELECT t.id,\n    t.a\n   FROM c.t\n  WHERE (t.b > 1)\n  ORDER BY t.id;",
                " SELECT id,\n    a\n   FROM c.t\n  WHERE (b > 1)\n  ORDER BY id;",
            ),
            (" SELECT t.id,\n    t.a\n   FROM c.t;", " SELECT id,\n    a\n   FROM c.t;"),
            ("SELECT q.id FROM c.t q", "SELECT id FROM c.t q"),
            ("SELECT g.g FROM generate_series(1, 3) g(g)", "SELECT g FROM generate_series(1, 3) g(g)"),
            ("SELECT x.y FROM ( SELECT t.id AS y FROM c.t) x", "SELECT y FROM ( SELECT t.id AS y FROM c.t) x"),
            (
                "WITH w AS ( SELECT t.a FROM c.t ) SELECT w.a FROM w",
                "WITH w AS ( SELECT t.a FROM c.t ) SELECT a FROM w",
            ),
            ("SELECT t.id FROM ONLY c.t", "SELECT id FROM ONLY c.t"),
            ("SELECT t.id FROM c.t TABLESAMPLE system (10)", "SELECT id FROM c.t TABLESAMPLE system (10)"),
            (
                "SELECT t.id, t.*::c.t AS w FROM c.t WHERE (EXISTS ( SELECT 1 FROM c.u WHERE (u.x = t.id)))",
                "SELECT id, t.*::c.t AS w FROM c.t WHERE (EXISTS ( SELECT 1 FROM c.u WHERE (u.x = t.id)))",
            ),
            ("SELECT p.p(p.a), 'x'::p.kind AS k FROM p.p", "SELECT p.p(a), 'x'::p.kind AS k FROM p.p"),
        ] {
            assert_eq!(view(old), view(new), "{old}");
            assert_eq!(view(new), sql(new), "the newer wording stays as it is");
        }
        for several in [
            "SELECT t.id FROM (c.t JOIN c.u ON ((t.id = u.id)))",
            "SELECT t1.id FROM c.t t1, c.t t2",
            "SELECT 1 AS one UNION ALL SELECT t.id FROM c.t",
        ] {
            assert_eq!(view(several), several);
        }
    }
}
