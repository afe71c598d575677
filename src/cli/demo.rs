//! `rollcall demo`

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::Exit;
use super::out::Out;
use super::plan::Show;
use super::sync::{Output, Sync};
use crate::store::Store;

/// A ten-second tour with a made-up company. It writes to one new folder only.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The folder to create and work in [default: a new temporary folder].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

const POLICY: &str = include_str!("../../examples/company/policy.yaml");
const MONDAY: &str = include_str!("../../examples/company/monday.ldif");
const TUESDAY: &str = include_str!("../../examples/company/tuesday.ldif");
const WEDNESDAY: &str = include_str!("../../examples/company/wednesday.ldif");
const THURSDAY: &str = include_str!("../../examples/company/thursday.ldif");

impl Demo {
    pub(super) fn run(self, out: &mut Out<'_>) -> Result<Exit> {
        let folder = self.folder.unwrap_or_else(|| {
            let name = uuid::Uuid::new_v4().simple().to_string();
            std::env::temp_dir().join(format!("rollcall-demo-{}", name.get(..8).unwrap_or(&name)))
        });
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
        let mut tour = Tour { folder: &folder, out };
        tour.tour()?;
        Ok(Exit::Fine)
    }
}

struct Tour<'a, 'o> {
    folder: &'a Path,
    out: &'a mut Out<'o>,
}

impl Tour<'_, '_> {
    fn tour(&mut self) -> Result<()> {
        for (name, content) in [
            ("policy.yaml", POLICY),
            ("monday.ldif", MONDAY),
            ("tuesday.ldif", TUESDAY),
            ("wednesday.ldif", WEDNESDAY),
            ("thursday.ldif", THURSDAY),
        ] {
            fs::write(self.folder.join(name), content)?;
        }
        let folder = self.folder.display().to_string();
        self.say(&format!(
            "A company of forty people has a directory. {folder} has an export of it for each day of a week, and \
             policy.yaml, which syncs everybody except contractors to the registry. You can run each command below as it is."
        ))?;

        self.title("Monday: the first sync")?;
        self.sync(None)?;
        self.say("All users were created. A first sync never removes anything.")?;

        self.title("Tuesday: an ordinary day")?;
        self.say(
            "Noor Haddad joins Support. Leslie Schmidt moves from Sales to Engineering. Frances Ibarra is now Frances \
             Sørensen, with a new address and a new place in the tree. Maurice Xu has left.",
        )?;
        self.replace("monday", "tuesday")?;
        self.sync(None)?;
        self.say(
            "One user was created, two were updated (a renamed user is not a leaver), one was disabled, and the \
             memberships were updated.",
        )?;

        self.title("Wednesday: the export failed")?;
        self.say(
            "The file is well-formed and ends properly, but more than half of the company is not in it.",
        )?;
        self.replace("tuesday", "wednesday")?;
        self.sync(None)?;
        self.say("Nobody was removed: so many removals exceed the policy's limits, so they are held. These are the \
                  held operations:")?;
        self.show(&[])?;
        self.say("They are not approved. The export is made again, and the policy is in step:")?;
        self.replace("wednesday", "tuesday")?;
        self.sync(None)?;

        self.title("Thursday: an intended change")?;
        self.say("The company has sold its support team. These removals exceed the limits too, so they need an approval.")?;
        self.replace("tuesday", "thursday")?;
        self.sync(None)?;
        let digest = self.digest()?;
        self.say("The approval:")?;
        self.sync(Some(digest))?;

        self.title("The registry")?;
        self.command(&format!("rollcall registry export --data {folder}/data"))?;
        self.say(&format!(
            "prints it as SCIM resources. The folder {folder} is kept: change the files, run the commands, and delete \
             it when you are done."
        ))
    }

    fn sync(&mut self, approve: Option<String>) -> Result<()> {
        let verb = Sync {
            filename: vec![self.folder.join("policy.yaml")],
            data: self.folder.join("data"),
            preview: false,
            verify: false,
            approve,
            output: Output::Table,
        };
        let approved = verb.approve.as_ref().map(|digest| format!(" --approve {digest}")).unwrap_or_default();
        let (file, data) = (verb.filename.iter().map(|path| path.display()).next(), verb.data.display());
        let file = file.map(|file| file.to_string()).unwrap_or_default();
        self.command(&format!("rollcall sync -f {file} --data {data}{approved}"))?;
        let exit = verb.run(self.out)?;
        self.out.paragraph(format_args!("(exit code {})", exit.code()))?;
        Ok(())
    }

    fn show(&mut self, arguments: &[&str]) -> Result<()> {
        let data = self.folder.join("data");
        self.command(&format!("rollcall plan show --data {} {}", data.display(), arguments.join(" ")))?;
        Show::of(data).run(self.out)?;
        Ok(())
    }

    /// Makes the connector read the export of a different day.
    fn replace(&mut self, day: &str, by: &str) -> Result<()> {
        let file = self.folder.join("policy.yaml");
        self.command(&format!("sed -i s/{day}/{by}/ {}", file.display()))?;
        let text = fs::read_to_string(&file)?.replace(day, by);
        Ok(fs::write(file, text)?)
    }

    fn digest(&self) -> Result<String> {
        let holds = Store::open_read_only(&self.folder.join("data"))?.holds()?;
        let hold = holds.into_iter().next().context("nothing is held, though the demo expects it")?;
        Ok(hold.digest)
    }

    fn title(&mut self, text: &str) -> Result<()> {
        self.out.paragraph(format_args!("── {text} ──"))
    }

    fn command(&mut self, text: &str) -> Result<()> {
        self.out.paragraph(format_args!("$ {}", text.trim_end()))
    }

    /// Prints text in lines of a readable length.
    fn say(&mut self, text: &str) -> Result<()> {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 96 {
                self.out.line(&line)?;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.out.paragraph(line)
    }
}
