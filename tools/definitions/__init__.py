"""How far published definitions lie apart: the tables of docs/why-numbers-differ.md."""
