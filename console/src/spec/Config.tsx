import { useState } from 'preact/hooks';
import { TextArea } from '../components';
import { pairs, replaced, unpairs, usePart, type PartProps } from './part';
import { ts } from './words';

export const configPointers = ['/spec/config'];

/** Config are the settings of EMQX, one on a line. */
export function Config({ spec, problem, onPatch }: PartProps) {
  const was = spec.config;
  const [text, setText] = useState(unpairs(was));
  const { values, bad } = pairs(text);
  usePart(onPatch, () => (bad !== undefined ? undefined : { config: replaced(was, values) }), [text]);
  return (
    <TextArea label={ts('sp.config')} hint={ts(was ? 'sp.configKept' : 'sp.configHint')} rows={was ? 12 : 4} optional mono value={text}
      onValue={setText} error={bad !== undefined ? ts('sp.badLine', { line: bad }) : problem?.field('/spec/config')} />
  );
}
