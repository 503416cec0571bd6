//! Faults of a configuration, painted with the line they stand in.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError, NamedSource, Report,
    SourceCode, SourceSpan, SpanContents,
};

use kolejka::config::{ConfigError, Origin, Problem};

use crate::logging;

/// Columns of the painting; fixed, so that it looks the same in a terminal, a log and a test.
const WIDTH: usize = 100;

/// All faults, one picture each.
pub(super) fn paint(error: &ConfigError) -> String {
    let theme = if io::stderr().is_terminal() && logging::colours() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).with_context_lines(1).with_links(false);
    let mut picture = String::new();
    for problem in &error.problems {
        let report = report(error, problem);
        if handler.render_report(&mut picture, report.as_ref()).is_err() {
            let _ = writeln!(picture, "{problem}");
        }
    }
    picture
}

fn report(error: &ConfigError, problem: &Problem) -> Report {
    let message = match &problem.origin {
        Origin::Environment(name) => format!("{name}: {}", problem.message),
        Origin::CommandLine(option) => format!("{option}: {}", problem.message),
        Origin::File(_) | Origin::Default => problem.message.clone(),
    };
    let mut diagnostic = MietteDiagnostic::new(message).with_code("kolejka::config");
    let mut help: Vec<&str> = Vec::new();
    if let Origin::File(span) = &problem.origin {
        diagnostic =
            diagnostic.with_label(LabeledSpan::new_primary_with_span(problem.label.clone(), first_line(error, span)));
    } else {
        help.extend(problem.label.as_deref());
    }
    help.extend(problem.help.as_deref());
    if !help.is_empty() {
        diagnostic = diagnostic.with_help(help.join("\n"));
    }
    Report::new(diagnostic).with_source_code(WholeLines(NamedSource::new(&error.file, error.text.clone())))
}

/// What spans several lines (a whole table) is pointed at by its first one.
fn first_line(error: &ConfigError, span: &std::ops::Range<usize>) -> std::ops::Range<usize> {
    let text = error.text.get(span.clone()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    span.start..span.start + line.len()
}

/// For any context, shows the lines of a fault and no others: neighbours help little, and may be nobody's business.
#[derive(Debug)]
struct WholeLines(NamedSource<String>);

impl SourceCode for WholeLines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        if before == 0 && after == 0 {
            // Asked for the line and column of the fault, not for what to show.
            return self.0.read_span(span, 0, 0);
        }
        let text = self.0.inner().as_str();
        let (begin, end) = (span.offset().min(text.len()), (span.offset() + span.len()).min(text.len()));
        let first = text.as_bytes()[..begin].iter().rposition(|octet| *octet == b'\n').map_or(0, |place| place + 1);
        let last =
            text.as_bytes()[end..].iter().position(|octet| *octet == b'\n').map_or(text.len(), |place| end + place);
        self.0.read_span(&(first..last).into(), 0, 0)
    }
}
