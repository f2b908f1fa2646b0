package main

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// account is a user of the host.
type account struct {
	name     string
	uid, gid int
}

var rootAccount = account{name: "root"}

// agentAccount returns the user that the agent runs as: the one that EMQX's
// packages make, which may read EMQX's files and nothing else of value; root where
// there is none (DynamicUser= of systemd could not read EMQX's logs).
func agentAccount(root string) account {
	f, err := os.Open(filepath.Join(root, "/etc/passwd"))
	if err != nil {
		return rootAccount
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 || fields[0] != "emqx" {
			continue
		}
		uid, err1 := strconv.Atoi(fields[2])
		gid, err2 := strconv.Atoi(fields[3])
		if err1 == nil && err2 == nil {
			return account{"emqx", uid, gid}
		}
	}
	return rootAccount
}

// giveTo makes everything below a directory belong to a user. Whoever it belongs to
// now may change it meanwhile: no link leads out of it, and a file that has another
// name elsewhere is not given away.
func giveTo(a account, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // nothing was written
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := root.Lstat(name)
		if err != nil {
			return err
		}
		uid, gid := ownerOf(info)
		switch {
		case uid == a.uid && gid == a.gid:
			return nil
		case info.Mode().IsRegular() && linksOf(info) > 1:
			return fail(exitNotAllowed, "Remove it, and install again.",
				"%s is a hard link to a file that is not the agent's alone", filepath.Join(dir, name))
		}
		return root.Lchown(name, a.uid, a.gid)
	})
}
