// Package venv keeps virtual environments under one folder, each named by all
// that goes into it: the interpreter, the requirements, and the content of the
// files among them. What was built once is used by all who ask for the same.
//
// It knows nothing of jobs: a Requirement carries the words by which its
// asker is told of a failure. It never changes an environment that has been
// built, and never writes into the interpreter's own folders.
//
// # On disk
//
//	<key>/           the virtual environment; made in place, since programs in
//	                 its bin name their interpreter by its full path
//	<key>/env.json   written last, by a rename: without it <key> is nothing
//	                 but the remains of a build that was killed
//	<key>/lock.txt   what is installed, as lines of a requirements file
//	<key>/used       its time is that of the last use
//	<key>.lock       flock: exclusive for who builds or removes it, shared for
//	                 the processes that run in it, which inherit it
//
// The interpreter's own packages can be imported too, after those of the
// environment, as in the interpreter itself. An environment may thus be the
// base of another. Start reading at Ensure.
package venv
