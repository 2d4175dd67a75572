//! Windows without their contents, as whoever answers one request reads them: a page asks several things of a series, and
//! each of them begins with the same heads.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::{ProjectId, SeriesId, Span, Store, StoreError, Window};

/// Answers that are kept, of a year or so each: a page is done with one series before it goes on to the next.
const KEPT: usize = 8;

/// What is asked for: whose, of which series, what like, from when and until when.
type Asked = (ProjectId, SeriesId, Span, i64, i64);

/// What one request has read.
#[derive(Debug, Default)]
pub(super) struct Heads(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// The latest answers.
    answers: VecDeque<(Asked, Arc<[Arc<Window>]>)>,
    /// The project that was asked for last, and whether nothing of it waited for its fold.
    folded: Option<(ProjectId, bool)>,
}

impl Store {
    /// The store as one request sees it: what it reads of a series twice stays as it was first read. Not for longer than
    /// a request, since it does not notice what comes meanwhile.
    pub fn for_one_request(&self) -> Store {
        Store {
            heads: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// A series' windows as [`Store::windows`] gives them, without their contents.
    pub async fn heads(
        &self,
        project: &ProjectId,
        series: SeriesId,
        like: Span,
        from_us: i64,
        to_us: i64,
    ) -> Result<Arc<[Arc<Window>]>, StoreError> {
        let asked = (*project, series, like, from_us, to_us);
        if let Some(found) = self.heads.as_ref().and_then(|heads| heads.find(&asked)) {
            return Ok(found);
        }
        let read = self.windows(project, series, like, from_us, to_us, false);
        let read: Arc<[Arc<Window>]> = read.await?.into_iter().map(Arc::new).collect();
        if let Some(heads) = &self.heads {
            heads.keep(asked, read.clone());
        }
        Ok(read)
    }
}

impl Heads {
    fn find(&self, asked: &Asked) -> Option<Arc<[Arc<Window>]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, found) = kept.answers.iter().find(|(known, _)| known == asked)?;
        Some(found.clone())
    }

    fn keep(&self, asked: Asked, windows: Arc<[Arc<Window>]>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.answers.len() == KEPT {
            kept.answers.pop_front();
        }
        kept.answers.push_back((asked, windows));
    }

    /// Whether nothing of a project waited for its fold, where that was asked.
    pub(super) fn is_folded(&self, project: &ProjectId) -> Option<bool> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, is_folded) = kept.folded?;
        (asked == *project).then_some(is_folded)
    }

    /// Keeps whether nothing of a project waited for its fold.
    pub(super) fn keep_folded(&self, project: ProjectId, is_folded: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.folded = Some((project, is_folded));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Id;
    use super::*;

    #[test]
    fn the_latest_answers_are_kept_and_no_more() {
        let heads = Heads::default();
        let asked = |series: u8| {
            let series = SeriesId(Id::of(&[&series.to_string()]));
            (ProjectId(Id::NIL), series, Span::Release, 0, 1)
        };
        for series in 0..=KEPT as u8 {
            heads.keep(asked(series), Arc::from([]));
        }
        assert!(heads.find(&asked(0)).is_none());
        assert!((1..=KEPT as u8).all(|series| heads.find(&asked(series)).is_some()));
    }
}
