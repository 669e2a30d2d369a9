// Package deploy brings a job to a workspace and keeps it in step with its
// file: what would change, what others have changed meanwhile, and the steps
// that are left to do. A plan decides and writes nothing; Apply obeys it, one
// request for each step, and each step is remembered as soon as it is done,
// so that a deployment which was cut off goes on where it was.
//
// The memory is a file for each job in the data directory, not the store's:
// a deployment must not wait for the daemon that holds the store. The package
// runs nothing, and knows the workspace only as its interface here. Start
// reading at Make.
package deploy
