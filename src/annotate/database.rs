//! Records to rows and back.

use rusqlite::{Connection, Params, Row, TransactionBehavior, named_params, params};

use super::records::{
    Change, Decision, Preset, RecordId, Said, SlideRecords, StrokeRecord, Verdict,
};
use super::stroke::Stroke;
use crate::geometry::{Mpp, SlidePoint, SlideRect};
use crate::slide::SlideHash;

/// Stores one change, as one transaction.
pub(super) fn write(file: &mut Connection, change: &Change) -> rusqlite::Result<()> {
    // Immediate: waits for other programs at the start and not in the middle.
    let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match change {
        Change::Scale(slide, mpp) => put_scale(&transaction, slide, *mpp),
        Change::Stroke(slide, stroke) => put_stroke(&transaction, slide, stroke),
        Change::EraseStroke(id) => run(
            &transaction,
            "UPDATE strokes SET erased = 1 WHERE id = ?1",
            params![id.0],
        ),
        Change::Verdict(slide, verdict) => put_verdict(&transaction, slide, verdict),
        Change::RemoveVerdict(id) => run(
            &transaction,
            "DELETE FROM verdicts WHERE id = ?1",
            params![id.0],
        ),
        Change::Preset(preset) => put_preset(&transaction, preset),
        Change::RemovePreset(model_hash, name) => run(
            &transaction,
            "DELETE FROM presets WHERE model_hash = ?1 AND name = ?2",
            params![model_hash, name],
        ),
    }?;
    transaction.commit()
}

fn run(file: &Connection, statement: &str, values: impl Params) -> rusqlite::Result<()> {
    file.prepare_cached(statement)?.execute(values).map(drop)
}

fn put_slide(file: &Connection, slide: &SlideHash) -> rusqlite::Result<()> {
    let statement = "INSERT INTO slides (hash) VALUES (?1) ON CONFLICT DO NOTHING";
    run(file, statement, params![slide.0])
}

fn put_scale(file: &Connection, slide: &SlideHash, mpp: Option<Mpp>) -> rusqlite::Result<()> {
    let statement = "INSERT INTO slides (hash, mpp_x, mpp_y) VALUES (?1, ?2, ?3)
        ON CONFLICT (hash) DO UPDATE SET mpp_x = excluded.mpp_x, mpp_y = excluded.mpp_y";
    let (x, y) = (mpp.map(|mpp| mpp.x), mpp.map(|mpp| mpp.y));
    run(file, statement, params![slide.0, x, y])
}

fn put_stroke(file: &Connection, slide: &SlideHash, record: &StrokeRecord) -> rusqlite::Result<()> {
    put_slide(file, slide)?;
    let statement = "INSERT INTO strokes
            (id, slide, class, radius_px, points_px, model_hash, created_ms)
        VALUES (:id, :slide, :class, :radius_px, :points_px, :model_hash, :created_ms)
        ON CONFLICT (id) DO UPDATE SET slide = excluded.slide, class = excluded.class,
            radius_px = excluded.radius_px, points_px = excluded.points_px,
            model_hash = excluded.model_hash, created_ms = excluded.created_ms, erased = 0";
    let values = named_params! {
        ":id": record.id.0,
        ":slide": slide.0,
        ":class": record.stroke.class,
        ":radius_px": record.stroke.radius_px,
        ":points_px": bytes_of(&record.stroke.points),
        ":model_hash": record.model_hash,
        ":created_ms": record.created_ms,
    };
    run(file, statement, values)
}

fn put_verdict(file: &Connection, slide: &SlideHash, verdict: &Verdict) -> rusqlite::Result<()> {
    put_slide(file, slide)?;
    let statement = "INSERT INTO verdicts
            (id, slide, left_px, top_px, right_px, bottom_px, area_px, kind, score, decision,
             note, model_hash, magnification_a, magnification_b, created_ms,
             map_a, class_a, map_b, class_b)
        VALUES (:id, :slide, :left_px, :top_px, :right_px, :bottom_px, :area_px, :kind, :score,
             :decision, :note, :model_hash, :magnification_a, :magnification_b, :created_ms,
             :map_a, :class_a, :map_b, :class_b)
        ON CONFLICT (id) DO UPDATE SET slide = excluded.slide, left_px = excluded.left_px,
            top_px = excluded.top_px, right_px = excluded.right_px,
            bottom_px = excluded.bottom_px, area_px = excluded.area_px, kind = excluded.kind,
            score = excluded.score, decision = excluded.decision, note = excluded.note,
            model_hash = excluded.model_hash, magnification_a = excluded.magnification_a,
            magnification_b = excluded.magnification_b, created_ms = excluded.created_ms,
            map_a = excluded.map_a, class_a = excluded.class_a,
            map_b = excluded.map_b, class_b = excluded.class_b";
    let [a, b] = verdict.said.as_ref();
    let region = verdict.region;
    let values = named_params! {
        ":id": verdict.id.0,
        ":slide": slide.0,
        ":left_px": region.min.x,
        ":top_px": region.min.y,
        ":right_px": region.max.x,
        ":bottom_px": region.max.y,
        ":area_px": verdict.area_px,
        ":kind": verdict.kind,
        ":score": verdict.score,
        ":decision": verdict.word(),
        ":note": verdict.note,
        ":model_hash": verdict.model_hash,
        ":magnification_a": verdict.magnifications.0,
        ":magnification_b": verdict.magnifications.1,
        ":created_ms": verdict.created_ms,
        ":map_a": a.map,
        ":class_a": a.class,
        ":map_b": b.map,
        ":class_b": b.class,
    };
    run(file, statement, values)
}

fn put_preset(file: &Connection, preset: &Preset) -> rusqlite::Result<()> {
    let statement = "INSERT INTO presets (model_hash, name, bias, note, created_ms)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (model_hash, name) DO UPDATE SET bias = excluded.bias,
            note = excluded.note, created_ms = excluded.created_ms";
    let Preset {
        name,
        model_hash,
        bias,
        note,
        created_ms,
    } = preset;
    run(
        file,
        statement,
        params![model_hash, name, bias, note, created_ms],
    )
}

/// All that is kept of a slide, from one moment.
pub(super) fn slide(file: &mut Connection, slide: &SlideHash) -> rusqlite::Result<SlideRecords> {
    let file = file.transaction()?;
    let scale = "SELECT mpp_x, mpp_y FROM slides WHERE hash = ?1 AND mpp_x IS NOT NULL";
    let strokes = "SELECT id, class, radius_px, points_px, model_hash, created_ms FROM strokes
        WHERE slide = ?1 AND erased = 0 ORDER BY number";
    let verdicts = "SELECT id, left_px, top_px, right_px, bottom_px, area_px, kind, score,
            decision, note, model_hash, magnification_a, magnification_b, created_ms,
            map_a, class_a, map_b, class_b
        FROM verdicts WHERE slide = ?1 ORDER BY number";
    let scale: Vec<Option<Mpp>> = all(&file, scale, params![slide.0], |row| {
        Ok(Mpp::new(row.get(0)?, row.get(1)?))
    })?;
    Ok(SlideRecords {
        scale: scale.into_iter().flatten().next(),
        strokes: all(&file, strokes, params![slide.0], stroke_of)?,
        verdicts: all(&file, verdicts, params![slide.0], verdict_of)?,
    })
}

/// All presets, by name.
pub(super) fn presets(file: &Connection) -> rusqlite::Result<Vec<Preset>> {
    let statement = "SELECT name, model_hash, bias, note, created_ms FROM presets
        ORDER BY name, model_hash";
    all(file, statement, [], |row| {
        Ok(Preset {
            name: row.get(0)?,
            model_hash: row.get(1)?,
            bias: row.get(2)?,
            note: row.get(3)?,
            created_ms: row.get(4)?,
        })
    })
}

fn all<T>(
    file: &Connection,
    statement: &str,
    values: impl Params,
    of_row: fn(&Row) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = file.prepare_cached(statement)?;
    statement.query_map(values, of_row)?.collect()
}

fn stroke_of(row: &Row) -> rusqlite::Result<StrokeRecord> {
    Ok(StrokeRecord {
        id: RecordId(row.get(0)?),
        stroke: Stroke {
            class: row.get(1)?,
            radius_px: row.get(2)?,
            points: points_of(&row.get::<_, Vec<u8>>(3)?),
        },
        model_hash: row.get(4)?,
        created_ms: row.get(5)?,
    })
}

fn verdict_of(row: &Row) -> rusqlite::Result<Verdict> {
    let point = |x: usize| Ok::<_, rusqlite::Error>(SlidePoint::new(row.get(x)?, row.get(x + 1)?));
    let said = |at: usize| {
        let (map, class) = (row.get(at)?, row.get(at + 1)?);
        Ok::<_, rusqlite::Error>(Said { map, class })
    };
    let decision: String = row.get(8)?;
    let decisions = [Decision::Accept, Decision::Flag];
    Ok(Verdict {
        id: RecordId(row.get(0)?),
        region: SlideRect::new(point(1)?, point(3)?),
        area_px: row.get(5)?,
        kind: row.get(6)?,
        score: row.get(7)?,
        said: Box::new([said(14)?, said(16)?]),
        decision: decisions.into_iter().find(|of| of.word() == decision),
        note: row.get(9)?,
        model_hash: row.get(10)?,
        magnifications: (row.get(11)?, row.get(12)?),
        created_ms: row.get(13)?,
    })
}

/// x and y of each point, `f64`, little-endian.
fn bytes_of(points: &[SlidePoint]) -> Vec<u8> {
    let numbers = points.iter().flat_map(|point| [point.x, point.y]);
    numbers.flat_map(f64::to_le_bytes).collect()
}

fn points_of(bytes: &[u8]) -> Vec<SlidePoint> {
    let numbers = bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f64::from_le_bytes(*bytes));
    let numbers: Vec<f64> = numbers.collect();
    let points = numbers.as_chunks::<2>().0.iter();
    points.map(|[x, y]| SlidePoint::new(*x, *y)).collect()
}
