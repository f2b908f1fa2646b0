// Package home is the agent's directory on disk: the names of its files, their
// modes, and the process that uses it.
//
//   - Directories have mode 0700 and files 0600. [Dir.Prepare] corrects the modes,
//     and returns an error if it cannot.
//   - A file is replaced as a whole: after a full disk, a crash or a power failure
//     the old file is still there.
//   - [Dir.Lock] lets only one process use a directory, and names that process.
package home
