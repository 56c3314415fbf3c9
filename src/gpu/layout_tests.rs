//! How a shader lays its structures out, for the tests of those that mirror them.

/// Size of the structure `name` in a shader's text, and where its members begin, bytes.
pub(super) fn layout(shader: &str, name: &str) -> (usize, Vec<usize>) {
    let module = naga::front::wgsl::parse_str(shader).unwrap();
    let named = |ty: &&naga::Type| ty.name.as_deref() == Some(name);
    let (_, ty) = module.types.iter().find(|(_, ty)| named(ty)).unwrap();
    let naga::TypeInner::Struct { members, span } = &ty.inner else {
        panic!("{name} is no structure");
    };
    let offsets = members.iter().map(|member| member.offset as usize);
    (*span as usize, offsets.collect())
}
