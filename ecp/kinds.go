package ecp

import "maps"

// Kinds returns the codec of every kind of record that the package stores, for
// stores that keep text.
func Kinds() Codec {
	c := CodecOf(
		ClusterRecord{}, Tombstone{}, Operation{}, Departure{}, AgentRecord{}, RegistrationToken{}, HistoryEntry{}, Platform{},
	)
	for _, of := range []Codec{changeKinds(), catalogKinds(), directoryKinds()} {
		maps.Copy(c, of)
	}
	return c
}
