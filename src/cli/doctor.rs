//! `argusd doctor` and `argusd mail test`: show what is wrong, and how to fix it.

use std::process::ExitCode;

use super::{
    args::{Doctor, MailCommand},
    output::{self, Format},
    remote,
};
use crate::config::Config;
use crate::control::{AdminReply, AdminRequest, Finding, FindingLevel, MailTestReply};

/// Shows all findings, the worst first. Exits with 1 if something is bad, and with `--strict` also for warnings.
pub(super) fn run(config: &Config, doctor: &Doctor) -> anyhow::Result<ExitCode> {
    let mut findings = match remote::carry_out(config, AdminRequest::Doctor)? {
        AdminReply::Doctor(findings) => findings,
        reply => return super::commands::show(reply, Format::Table),
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    if doctor.json {
        output::say(serde_json::to_string_pretty(&findings)?);
    } else {
        output::say(shown(&findings));
    }
    let worst = findings.iter().map(|finding| finding.level).max().unwrap_or(FindingLevel::Good);
    let least = if doctor.strict { FindingLevel::Warning } else { FindingLevel::Bad };
    Ok(if worst >= least { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Sends a test mail, and shows each step with the answer of the server. Exits with 1 if it was not accepted.
pub(super) fn mail(config: &Config, command: MailCommand) -> anyhow::Result<ExitCode> {
    let MailCommand::Test { address } = command;
    match remote::carry_out(config, AdminRequest::TestMail { address: address.clone() })? {
        AdminReply::MailTest(MailTestReply { is_sent, answer, transcript }) => {
            let steps = transcript.iter().filter(|step| **step != answer);
            steps.for_each(output::say);
            anyhow::ensure!(is_sent, "the mail was not accepted: {answer}");
            output::say(format_args!("accepted for {address}: {answer}"));
            Ok(ExitCode::SUCCESS)
        }
        reply => super::commands::show(reply, Format::Table),
    }
}

/// Formats findings for people: the level, what was found, and below it the fix.
fn shown(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for Finding { level, title, found, fix, .. } in findings {
        lines.push(format!("{:<8} {title}: {found}", level.word()));
        if !fix.is_empty() {
            lines.push(format!("         {fix}"));
        }
    }
    let count = |wanted| findings.iter().filter(|finding| finding.level == wanted).count();
    let (bad, warnings) = (count(FindingLevel::Bad), count(FindingLevel::Warning));
    let plural = if warnings == 1 { "" } else { "s" };
    lines.push(format!("{bad} bad, {warnings} warning{plural}, {} good", count(FindingLevel::Good)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_below_its_finding() {
        let finding = |level, fix: &str| Finding {
            check: "x".to_owned(),
            level,
            title: "Mail server".to_owned(),
            found: "it is so".to_owned(),
            meaning: "unused".to_owned(),
            fix: fix.to_owned(),
        };
        let findings = [finding(FindingLevel::Warning, "Change it."), finding(FindingLevel::Good, "")];
        assert_eq!(
            shown(&findings),
            "warning  Mail server: it is so\n         Change it.\ngood     Mail server: it is so\n0 bad, 1 warning, 1 good"
        );
    }
}
