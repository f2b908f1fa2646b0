package shards

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/internal/random"
)

// round is what one renewal has found and stored.
type round struct {
	at        time.Time // by the monotonic clock
	self      Daemon
	sightings map[string]sighting
	clocks    map[string]otherClock
	groups    map[string]string // of the other daemons that live, by id
	mine      map[int]int64
	handover  map[int]bool
	epochs    [Count]int64 // of each shard as stored
}

// round carries one renewal out. It may be called again for the same renewal.
func (k *Keeper) round(tx ecp.Tx, giving []int) (r round, _ error) {
	r.at, r.self = k.Tick(), k.Self
	r.mine, r.handover, r.groups = map[int]int64{}, map[int]bool{}, map[string]string{}
	daemons, written := map[string]Daemon{}, map[string]time.Time{}
	for rec, err := range tx.List(ecp.Query{Kind: ecp.KindDaemon}) {
		if err != nil {
			return r, err
		}
		d, _ := rec.Payload.(Daemon)
		daemons[d.ID], written[d.ID] = d, rec.At
	}
	table, err := readShards(tx)
	if err != nil {
		return r, err
	}
	if err := raise(tx, &table, k.epochs); err != nil {
		return r, err
	}
	stored := daemons[k.Self.ID]
	delete(daemons, k.Self.ID)
	r.sightings = k.compareCounters(r.at, daemons)
	r.clocks = k.compareClocks(r.at, r.sightings, written)
	for id, d := range daemons {
		if r.at.Sub(r.sightings[id].since) < life {
			r.groups[id] = d.Group
			continue
		}
		if err := remove(tx, id); err != nil {
			return r, err
		}
		delete(r.sightings, id)
	}
	r.self.Group, r.self.Renewals = stored.Group, max(k.renewals, stored.Renewals)+1
	if r.self.Group == "" { // it has just come, or somebody took it for dead
		r.self.Group = groupToJoin(r.groups, r.sightings)
	}
	if err := ecp.Put(tx, r.self, ecp.AnyVersion); err != nil {
		return r, err
	}
	if r.self.Group != "" {
		err = r.share(tx, &table, giving)
	}
	for n, s := range table {
		r.epochs[n] = s.Epoch
	}
	return r, err
}

// raise raises epochs that are lower than they were before: an earlier moment of the
// database was put in its place, and clusters were written to in the epochs that it does
// not know of.
func raise(tx ecp.Tx, table *[Count]Shard, before [Count]int64) error {
	for n := range table {
		if table[n].Epoch >= before[n] {
			continue
		}
		table[n].Epoch = before[n] + 1
		if err := ecp.Put(tx, table[n], ecp.AnyVersion); err != nil {
			return err
		}
	}
	return nil
}

// compareCounters compares the counters of other daemons with those that were seen before.
func (k *Keeper) compareCounters(at time.Time, daemons map[string]Daemon) map[string]sighting {
	blind := at.Sub(k.steppedAt) > life/2 // nobody looked meanwhile: whether a counter moved is not known
	out := map[string]sighting{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, d := range daemons {
		was, known := k.sightings[id]
		s := sighting{d.Renewals, at, known && (was.moved || was.renewals != d.Renewals)}
		if known && was.renewals == d.Renewals && !blind {
			s = was
		}
		if heard := k.heard[id]; heard.renewals == s.renewals && heard.since.Before(s.since) && !blind {
			s.since = heard.since
		}
		out[id] = s
	}
	return out
}

// otherClock is what was last seen of the clock of another daemon.
type otherClock struct {
	ahead time.Duration // of ours, but for some seconds
	seen  time.Time     // by the monotonic clock
}

// clockKept is how long the clock of a daemon counts that has gone.
const clockKept = 24 * time.Hour

// compareClocks compares the clocks of the daemons that have just renewed their claims, at
// the times that are stored with them, with ours.
func (k *Keeper) compareClocks(at time.Time, now map[string]sighting,
	stored map[string]time.Time) map[string]otherClock {
	out := map[string]otherClock{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, c := range k.clocks {
		if at.Sub(c.seen) < clockKept {
			out[id] = c
		}
	}
	wall := k.Now()
	for id, s := range now {
		if was, known := k.sightings[id]; known && was.renewals != s.renewals {
			out[id] = otherClock{stored[id].Sub(wall), at}
		}
	}
	return out
}

// groupToJoin returns the group of a daemon that was seen to be alive, or a new one where
// no daemon has any. It returns none while it is not known whether somebody is alive.
func groupToJoin(groups map[string]string, sightings map[string]sighting) string {
	fresh := random.Hex(8)
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		if groups[id] == "" {
			continue
		}
		if sightings[id].moved {
			return groups[id]
		}
		fresh = ""
	}
	return fresh
}

// share hands over and takes shards, so that each daemon has its part.
func (r *round) share(tx ecp.Tx, table *[Count]Shard, giving []int) error {
	counts := map[string]int{r.self.ID: 0}
	for id, group := range r.groups {
		if group != "" {
			counts[id] = 0
		}
	}
	for n, s := range table {
		if s.Owner == r.self.ID && slices.Contains(giving, n) {
			table[n].Owner = ""
			if err := ecp.Put(tx, table[n], ecp.AnyVersion); err != nil {
				return err
			}
			continue
		}
		if _, lives := counts[s.Owner]; lives {
			counts[s.Owner]++
		}
	}
	quota := quotaOf(r.self.ID, counts)
	for n, s := range table {
		_, lives := counts[s.Owner]
		if !lives && counts[r.self.ID] < quota && !slices.Contains(giving, n) {
			s = Shard{Number: n, Owner: r.self.ID, Epoch: s.Epoch + 1}
			if err := ecp.Put(tx, s, ecp.AnyVersion); err != nil {
				return err
			}
			table[n] = s
			counts[r.self.ID]++
		}
		if s.Owner == r.self.ID {
			r.mine[n] = s.Epoch
		}
	}
	for _, n := range slices.Backward(slices.Sorted(maps.Keys(r.mine))) {
		if len(r.handover) < len(r.mine)-quota {
			r.handover[n] = true
		}
	}
	return nil
}

// quotaOf returns how many shards a daemon is to have: as many as every other, but that
// those who have most keep one more where it does not come out even.
func quotaOf(self string, counts map[string]int) int {
	ids := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b))
	})
	quota := Count / len(ids)
	if slices.Index(ids, self) < Count%len(ids) {
		quota++
	}
	return quota
}

// readShards returns all shards, also those that have no record yet.
func readShards(tx ecp.Tx) (table [Count]Shard, _ error) {
	for n := range table {
		table[n].Number = n
	}
	for s, err := range ecp.List[Shard](tx, ecp.Query{}) {
		if err != nil {
			return table, err
		}
		if s.Number >= 0 && s.Number < Count {
			table[s.Number] = s
		}
	}
	return table, nil
}

// remove removes the record of a daemon, if it is still there.
func remove(tx ecp.Tx, id string) error {
	if err := tx.Delete(ecp.KindDaemon, id); !errors.Is(err, ecp.ErrNotFound) {
		return err
	}
	return nil
}
