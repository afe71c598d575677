//! Tables and properties of the projection.
