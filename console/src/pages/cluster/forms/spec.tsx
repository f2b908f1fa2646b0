import type { ComponentType } from 'preact';
import { Config } from '../../../spec/Config';
import { Network } from '../../../spec/Network';
import type { PartProps } from '../../../spec/part';
import { Placement } from '../../../spec/Placement';
import { Replicants } from '../../../spec/Replicants';
import type { FormProps } from '../ChangeDialog';
import { hosted, patch } from './parts';

/** formOf makes a part of the spec the form of a change. */
function formOf(Part: ComponentType<PartProps>): ComponentType<FormProps> {
  return function PartForm({ cluster, problem, onChange }: FormProps) {
    return <Part spec={hosted(cluster)} problem={problem} onPatch={(p) => onChange(p && patch(p))} />;
  };
}

export const networkForm = formOf(Network);
export const placementForm = formOf(Placement);
export const replicantsForm = formOf(Replicants);
export const configForm = formOf(Config);
