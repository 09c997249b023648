//! Lists of types, as tuples.

use std::any::{TypeId, type_name};

/// A tuple of the section types that handlers take, for [`Sections::require`](crate::Sections::require): up to
/// twelve, or `()`.
pub trait Needs: sealed::Sealed {
    #[doc(hidden)]
    fn needs() -> Vec<(TypeId, &'static str)>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! needs {
    ($($t:ident)*) => {
        impl<$($t: 'static),*> sealed::Sealed for ($($t,)*) {}

        impl<$($t: 'static),*> Needs for ($($t,)*) {
            fn needs() -> Vec<(TypeId, &'static str)> {
                vec![$((TypeId::of::<$t>(), type_name::<$t>())),*]
            }
        }
    };
}

needs!();
needs!(A);
needs!(A B);
needs!(A B C);
needs!(A B C D);
needs!(A B C D E);
needs!(A B C D E F);
needs!(A B C D E F G);
needs!(A B C D E F G H);
needs!(A B C D E F G H I);
needs!(A B C D E F G H I J);
needs!(A B C D E F G H I J K);
needs!(A B C D E F G H I J K L);
