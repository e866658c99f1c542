//! The order of the laps: each in turn for the program and for the reference, so that both meet the
//! same machine.

use std::{ops::Range, time::Duration};

use anyhow::Result;

use crate::{
    contender::{Contender, Kind},
    figures::{Figures, Form, Lap, Paced},
    lap,
    options::Options,
    output::note,
    paced, prefill,
    program::Program,
    reference::Reference,
    scene::Scene,
    statements,
};

/// A process that has just come up comes to rest.
const REST: Duration = Duration::from_secs(2);
/// Movies a second of the paced lap.
const PACE: u32 = 20;

/// Who takes part.
struct Field<'a> {
    scene: &'a Scene,
    program: Program,
    reference: Option<Reference>,
    laps: Vec<Lap>,
    paced: Vec<Paced>,
    /// What each statement cost is shown.
    statements: bool,
}

/// Starts the contenders and runs all laps.
///
/// # Errors
/// A contender does not start, ends, or a lap fails.
pub(crate) async fn run(scene: &Scene, options: &Options) -> Result<Figures> {
    prefill::run(scene, options).await?;
    let program = Program::start(scene, options).await?;
    let reference = if options.alone { None } else { Some(Reference::start(scene).await?) };
    tokio::time::sleep(REST).await;
    let idle_bytes = scene.parties(program.pids()).resident_bytes();
    let empty = scene.database.size_bytes().await?;
    let mut field = Field {
        scene,
        program,
        reference,
        laps: Vec::new(),
        paced: Vec::new(),
        statements: options.statements,
    };

    let movies = usize::try_from(options.movies())?;
    let rounds = usize::try_from(options.rounds())?;
    let mut disk_bytes_created = 0;
    for round in 0..rounds {
        let places = round * movies..(round + 1) * movies;
        for kind in Kind::ALL {
            field.laps(kind, places.clone()).await?;
            if round == 0 && kind == Kind::Created {
                disk_bytes_created = grown(scene, empty, movies).await?;
            }
        }
    }
    let disk_bytes_per_title = grown(scene, empty, movies * rounds).await?;
    let last = (rounds - 1) * movies..rounds * movies;
    field.paced(usize::try_from(options.paced_secs() * PACE)?, last).await?;
    field.program.check_alive()?;
    field.program.stop().await?;
    if let Some(reference) = field.reference {
        reference.stop().await?;
    }
    Ok(Figures {
        form: Form::of(options),
        laps: field.laps,
        paced: field.paced,
        idle_bytes,
        disk_bytes_created,
        disk_bytes_per_title,
        weight: scene.bodies.weight(),
    })
}

/// By how many bytes a movie the program's database is larger than it was.
async fn grown(scene: &Scene, empty: u64, movies: usize) -> Result<u64> {
    let grown = scene.database.size_bytes().await?.saturating_sub(empty);
    Ok(grown / u64::try_from(movies)?)
}

impl Field<'_> {
    /// The same lap for everybody.
    async fn laps(&mut self, kind: Kind, places: Range<usize>) -> Result<()> {
        let edition = match kind {
            Kind::Created | Kind::Unchanged => 0,
            Kind::Changed => 1,
        };
        self.scene.serve(places.clone(), edition).await?;
        let ids = self.scene.bodies.ids(places);
        if self.statements {
            statements::begin(&self.scene.database).await?;
        }
        self.laps.push(said(lap::run(self.scene, &mut self.program, kind, &ids).await?));
        if self.statements {
            statements::show(&self.scene.database, kind.name(), ids.len()).await?;
        }
        if let Some(reference) = &mut self.reference {
            self.laps.push(said(lap::run(self.scene, reference, kind, &ids).await?));
        }
        Ok(())
    }

    /// The paced lap for everybody, over movies that are as they were.
    async fn paced(&mut self, count: usize, places: Range<usize>) -> Result<()> {
        let mut ids = self.scene.bodies.ids(places);
        ids.truncate(count);
        self.paced.push(paced::run(self.scene, &mut self.program, &ids).await?);
        if let Some(reference) = &mut self.reference {
            self.paced.push(paced::run(self.scene, reference, &ids).await?);
        }
        Ok(())
    }
}

fn said(lap: Lap) -> Lap {
    note(&format!("{} {}: {:.0} movies/s", lap.contender, lap.kind, lap.speed()));
    lap
}
