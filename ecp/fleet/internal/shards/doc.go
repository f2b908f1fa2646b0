// Package shards divides the clusters of one Store among the daemons that share it, so
// that each cluster is worked on by one of them.
//
// Clusters fall into [Count] shards by a hash of their ids. Each daemon has a record with a
// counter, which it raises every few seconds, and each shard has a record with its owner
// and an epoch, which grows whenever the shard is taken. All of it is ordinary records,
// written in serializable transactions of the Store; there is no other way that daemons
// speak to one another.
//
// No clock is compared with that of another machine. A daemon is taken for dead when its
// counter has not moved for the life of a claim by the clock of who looks, while it looked
// all the time. The daemon itself stops by its own clock earlier than anybody can take it
// for dead. Neither is what safety rests on: every write for a cluster reads the shard's
// record in its own transaction ([Keeper.Fence]), and is refused if the epoch is another.
//
// Daemons that share a Store form a group, whose name is minted when the first of them
// comes up and never outlives them. It tells them from daemons with a copy of the
// database: these see no counter of the original ones move, take them for dead, and mint
// a name of their own.
package shards
