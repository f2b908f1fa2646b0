// Package home is the agent's directory on disk: where things are in it, who may
// read them, and which process owns it.
//
//   - Directories have mode 0700 and files 0600. [Dir.Prepare] mends what others
//     can read, and says so; what it cannot mend is an error.
//   - A file is replaced whole or not at all: a full disk, a crash or a power
//     failure leaves the one that was there.
//   - [Dir.Lock] lets one process run on a directory and names the one that does.
package home
