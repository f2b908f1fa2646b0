import type { ComponentType } from 'preact';
import { configPointers } from '../../../spec/Config';
import { networkPointers } from '../../../spec/Network';
import { placementPointers } from '../../../spec/Placement';
import { replicantPointers } from '../../../spec/Replicants';
import type { FormProps } from '../ChangeDialog';
import type { ActionId } from '../words';
import { Connections, Describe, ImageForm, Remove, Repair, Resize, Restart, Scale, ServiceAddress, Transfer } from './basic';
import { EvacuationForm, HibernationForm, MaintenanceForm } from './rest';
import { configForm, networkForm, placementForm, replicantsForm } from './spec';

type Entry = { form: ComponentType<FormProps>; pointers: string[] };

/** forms of the actions that have one, with the fields that they show errors of. */
export const forms: Partial<Record<ActionId, Entry>> = {
  restart: { form: Restart, pointers: [] },
  repair: { form: Repair, pointers: [] },
  delete: { form: Remove, pointers: [] },
  describe: { form: Describe, pointers: ['/name', '/description'] },
  scale: { form: Scale, pointers: ['/spec/nodes'] },
  resize: { form: Resize, pointers: ['/spec/size'] },
  image: { form: ImageForm, pointers: ['/spec/image'] },
  connections: { form: Connections, pointers: ['/spec/connections'] },
  replicants: { form: replicantsForm, pointers: replicantPointers },
  transfer: { form: Transfer, pointers: ['/project'] },
  serviceAddress: { form: ServiceAddress, pointers: ['/spec/serviceAddress'] },
  evacuation: { form: EvacuationForm, pointers: ['rate', 'deadline', 'onDeadline'].map((f) => `/spec/evacuation/${f}`) },
  hibernation: { form: HibernationForm, pointers: ['sleep', 'wake', 'timeZone'].map((f) => `/spec/hibernation/${f}`) },
  maintenance: { form: MaintenanceForm, pointers: ['/spec/maintenance/windows', '/spec/maintenance/timeZone'] },
  placement: { form: placementForm, pointers: placementPointers },
  config: { form: configForm, pointers: configPointers },
  network: { form: networkForm, pointers: networkPointers },
};
