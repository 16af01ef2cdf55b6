//! Reads Markdown as far as the checks need it: fenced blocks, headings, links. No renderer.

/// A fenced block of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The line of its first line of text, counted from 1.
    pub(crate) line: usize,
    /// The word after the fence.
    pub(crate) language: String,
    /// The rest after it, such as `file=jobs/air/a.sql`.
    pub(crate) notes: Vec<String>,
    pub(crate) text: Vec<String>,
}

impl Block {
    /// The value of `name=VALUE` after the fence.
    pub(crate) fn note(&self, name: &str) -> Option<&str> {
        self.notes
            .iter()
            .find_map(|n| n.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Returns the fenced blocks in order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Block)> = None;
    for (number, line) in text.lines().enumerate() {
        match &mut open {
            Some((fence, block)) => {
                if line.trim() == fence.as_str() {
                    blocks.extend(open.take().map(|(_, block)| block));
                } else {
                    block.text.push(line.to_owned());
                }
            }
            None => open = opening(line, number + 2),
        }
    }
    blocks
}

fn opening(line: &str, next: usize) -> Option<(String, Block)> {
    let text = line.trim_start();
    let ticks = text.chars().take_while(|&c| c == '`').count();
    if ticks < 3 {
        return None;
    }
    let mut words = text[ticks..].split_whitespace().map(str::to_owned);
    let language = words.next().unwrap_or_default();
    Some((
        "`".repeat(ticks),
        Block {
            line: next,
            language,
            notes: words.collect(),
            text: Vec::new(),
        },
    ))
}

/// Returns the lines outside fenced blocks and comments, with their numbers from 1.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut fence: Option<String> = None;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match &fence {
            Some(f) if line.trim() == f.as_str() => fence = None,
            Some(_) => {}
            None => match opening(line, 0) {
                Some((f, _)) => fence = Some(f),
                None => lines.push((number + 1, line)),
            },
        }
    }
    lines
}

/// Returns the anchors of the headings, as GitHub makes them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let level = line.chars().take_while(|&c| c == '#').count();
        if (1..=6).contains(&level) && line[level..].starts_with(' ') {
            let base = anchor(&line[level..]);
            let same = anchors
                .iter()
                .filter(|a| **a == base || a.starts_with(&format!("{base}-")))
                .count();
            let taken = anchors.contains(&base);
            anchors.push(if taken { format!("{base}-{same}") } else { base });
        }
    }
    anchors
}

/// Makes the anchor of one heading.
pub(crate) fn anchor(heading: &str) -> String {
    let text = heading.trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns the targets of links and images in the prose, with their lines.
pub(crate) fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let inline = line.match_indices("](").filter_map(|(at, _)| {
            let rest = &line[at + 2..];
            rest.split([')', ' ']).next()
        });
        links.extend(inline.map(|target| (number, target.trim_matches(['<', '>']).to_owned())));
        let reference = line
            .trim_start()
            .strip_prefix('[')
            .and_then(|l| l.split_once("]: "));
        links.extend(
            reference.map(|(_, target)| (number, target.split(' ').next().unwrap_or(target).to_owned())),
        );
    }
    links
}

/// Writes a row of a table.
pub(crate) fn row<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let cells = cells.into_iter().map(|cell| match cell.as_ref() {
        "" => " |".to_owned(),
        text => format!(
            " {} |",
            text.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .replace('|', "\\|")
        ),
    });
    format!("|{}", cells.collect::<String>())
}

/// Blanks what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# The page
See [the tour](tour.md#first-steps) and ![a picture](a.png \"title\"), not `[this](code.md)`.

```console exit=1
$ mainstay check
# no heading
[no](link.md)
```

## What's new?
## Notes
## Notes
[ref]: other.md
";

    #[test]
    fn blocks_have_their_line_and_notes() {
        let found = blocks(PAGE);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].line, found[0].language.as_str(), found[0].note("exit")),
            (5, "console", Some("1"))
        );
        assert_eq!(found[0].text.len(), 3);
    }

    #[test]
    fn a_longer_fence_holds_a_shorter_one() {
        let found = blocks("````md\n```sql\nSELECT 1\n```\n````\n");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].text, ["```sql", "SELECT 1", "```"]);
    }

    #[test]
    fn headings_get_the_anchors_that_the_web_gives_them() {
        assert_eq!(anchors(PAGE), ["the-page", "whats-new", "notes", "notes-1"]);
    }

    #[test]
    fn links_in_code_are_none() {
        let targets: Vec<_> = links(PAGE);
        let expected = [(2, "tour.md#first-steps"), (2, "a.png"), (13, "other.md")];
        assert_eq!(targets, expected.map(|(n, t)| (n, t.to_owned())));
    }
}
