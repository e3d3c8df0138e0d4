//! A COMMIT whose answer is lost.

use postgres_link::tenant::{Access, TxError};

use super::round_trip::gated;
use super::world::{World, admin, in_time, look};

const WRITE: &str = "UPDATE organizations.organizations SET phone = 'in doubt'";

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_apart_from_a_loss_before_it() {
    let world = World::new().await;
    for (access, last) in [(Access::Write, false), (Access::Write, true), (Access::Read, false)] {
        let (mut gate, pool) = gated(&world).await;
        let mut tx = pool.begin(&admin(0, "doubts"), access);
        look(&mut tx).await.expect("in order");
        if access == Access::Write {
            tx.execute(WRITE, &[]).await.expect("one's own");
        }
        let sent = gate.asked() + 1;
        gate.hold_until(100);
        let end = async { if last { tx.last().execute(WRITE, &[]).await.map(drop) } else { tx.commit().await } };
        let cut = async {
            gate.has_been_asked(sent).await;
            gate.cut().await;
        };
        let (end, ()) = Box::pin(in_time(async { tokio::join!(end, cut) })).await;
        let error = end.expect_err("the answer is lost");
        match access {
            Access::Write => assert!(matches!(error, TxError::Unknown(_)), "{error}"),
            Access::Read => assert!(matches!(error, TxError::Lost(_)), "{error}"),
        }
    }

    let (mut gate, pool) = gated(&world).await;
    let mut tx = pool.begin(&admin(0, "loses"), Access::Write);
    look(&mut tx).await.expect("in order");
    gate.cut().await;
    let error = in_time(tx.execute(WRITE, &[])).await.expect_err("the line is cut");
    assert!(matches!(error, TxError::Lost(_)), "{error}");
}
