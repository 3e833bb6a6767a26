// What a verdict says, under the threshold that is set here. Nothing of it needs the service again.

/** The verdict as the service would give it with another threshold. */
export function judge(verdict, threshold) {
  const faces = verdict.faces.map((face) => ({ ...face, smile: face.probability >= threshold }));
  return { ...verdict, smile: faces.length > 0 ? faces[0].smile : null, threshold, faces };
}

/** How much a picture smiles: the mean over its faces; null without one. */
export const smileOf = (verdict) =>
  (verdict.faces.length > 0 ? verdict.faces.reduce((sum, face) => sum + face.probability, 0) / verdict.faces.length : null);

/** 0.973 as "97 %". Never 0 or 100 for what is neither. */
export function percent(probability) {
  const rounded = Math.round(probability * 100);
  if (rounded === 100 && probability < 1) {
    return '> 99 %';
  }

  return rounded === 0 && probability > 0 ? '< 1 %' : `${rounded} %`;
}

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** One sentence about all faces of a picture. */
export function summary(verdict, threshold) {
  const { faces } = verdict;
  const smiling = faces.filter((face) => face.probability >= threshold).length;
  switch (faces.length) {
    case 0: return 'No face found';
    case 1: return smiling ? 'A smile' : 'No smile';
    default: return smiling === faces.length ? `All ${smiling} smile` : smiling === 0 ? `None of ${faces.length} smiles` : `${smiling} of ${faces.length} ${smiling === 1 ? 'smiles' : 'smile'}`;
  }
}
