"""New packages of authors, written from templates: methods, data sets, reports."""
