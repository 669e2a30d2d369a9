// Package workspace is what a workspace keeps besides jobs: the file tree
// under /Workspace, dbfs:/ and /Volumes, secrets, people with their groups
// and tokens, and who may do what.
//
// Files are plain files, so that jobs run from them: HOME/fs/workspace,
// HOME/fs/dbfs and HOME/fs/volumes. A notebook has its extension on disk and
// none in its path: /Users/me/etl is fs/workspace/Users/me/etl.py. Everything
// else is records in buckets of the store whose names begin with "workspace";
// nobody else writes those, and this package writes no others.
//
// A Set holds the workspaces of a data directory: one for all, or, in test
// beds, one for each token (a namespace, with folders and buckets of its own).
//
// The package runs nothing, knows no job and no HTTP, and never follows a path
// out of its trees. Its refusals are of type *Error and speak in Databricks'
// codes and words. Start reading at set.go, then tree.go.
package workspace
